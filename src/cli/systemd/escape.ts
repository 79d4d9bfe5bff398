import { MaestroError } from '../../runtime/index.js';

/** A word of a command line, or an assignment of Environment=: quoted, with `%` for systemd's own expansion doubled. */
export function quoted(word: string): string {
  refuseControls(word);
  const escaped = word.replaceAll('%', '%%').replace(/[\\"]/g, '\\$&');
  return `"${escaped}"`;
}

/** A path in a setting that holds one path, as it is but for `%`. */
export function onePath(path: string): string {
  refuseControls(path);
  return path.replaceAll('%', '%%');
}

/** A path in a setting that holds several. Neither quotes nor backslashes can be said there. @throws USAGE */
export function listedPath(path: string): string {
  if (/["\\]/.test(path))
    throw new MaestroError('USAGE', `systemd cannot be given the path ${JSON.stringify(path)}`, {
      next: 'Use a path without quotes and backslashes.',
    });
  return `"${onePath(path)}"`;
}

/** Lines are what units are made of. @throws USAGE */
function refuseControls(text: string): void {
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(text))
    throw new MaestroError('USAGE', `${JSON.stringify(text)} has control characters: a unit cannot hold it`);
}
