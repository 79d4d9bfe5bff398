import { MaestroError } from '../../runtime/index.js';

/** A word of a command line, or an assignment of Environment=: quoted, with `%` for systemd's own expansion doubled. */
export function quoted(word: string): string {
  refuseControls(word);
  const escaped = word.replaceAll('%', '%%').replace(/[\\"]/g, '\\$&');
  return `"${escaped}"`;
}

/** The program of a command line. systemd takes no quotes and backslashes in its name, however written. @throws USAGE */
export function executable(path: string): string {
  if (/["'\\]/.test(path)) throw refused(path);
  return quoted(path);
}

/** A path in a setting that holds one path, as it is but for `%`. @throws USAGE */
export function onePath(path: string): string {
  refuseControls(path);
  // systemd takes spaces at the end of a line away, and a backslash there joins the next line.
  if (/[\\\s]$/.test(path))
    throw new MaestroError('USAGE', `systemd cannot be given the path ${JSON.stringify(path)}`, {
      next: 'Use a path that does not end in a space or a backslash.',
    });
  return path.replaceAll('%', '%%');
}

/** A path in a setting that holds several. Neither quotes nor backslashes can be said there. @throws USAGE */
export function listedPath(path: string): string {
  if (/["\\]/.test(path)) throw refused(path);
  return `"${onePath(path)}"`;
}

function refused(path: string): MaestroError {
  return new MaestroError('USAGE', `systemd cannot be given the path ${JSON.stringify(path)}`, {
    next: 'Use a path without quotes and backslashes.',
  });
}

/** Lines are what units are made of. @throws USAGE */
function refuseControls(text: string): void {
  if (/[\u0000-\u001f\u007f]/.test(text))
    throw new MaestroError('USAGE', `${JSON.stringify(text)} has control characters: a unit cannot hold it`, {
      next: 'Leave them out.',
    });
}
