import { readFileSync } from 'node:fs';

/** The version in the package.json nearest above this file: sources and build lie at different depths. */
export function packageVersion(): string {
  for (let folder = new URL('.', import.meta.url); ; folder = new URL('..', folder)) {
    const version = readVersion(new URL('package.json', folder));
    if (version !== undefined) return version;
    if (folder.pathname === new URL('..', folder).pathname) return 'unknown';
  }
}

function readVersion(url: URL): string | undefined {
  try {
    const { name, version } = JSON.parse(readFileSync(url, 'utf8')) as { name?: unknown; version?: unknown };
    return name === 'maestro-dag' && typeof version === 'string' ? version : undefined;
  } catch {
    return undefined;
  }
}
