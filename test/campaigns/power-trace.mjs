import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

/*
 * What processes did to files, as strace saw it. A call is a line where it began and one where it ended, which is the same
 * one unless something else came in between; both are numbers of lines.
 */

const CALLS = [
  ...['openat', 'lseek', 'write', 'writev', 'pwrite64', 'pwritev', 'pwritev2', 'ftruncate', 'fallocate'],
  ...['fsync', 'fdatasync', 'rename', 'renameat', 'renameat2', 'link', 'linkat', 'unlink', 'unlinkat'],
  ...['mkdir', 'mkdirat', 'rmdir'],
];

/** What strace is told so that its output can be read here; FILE is where it goes. */
export const straceArgs = (file) => [
  ...['-f', '-y', '-xx', '-v', '-s', String(2 ** 24), '--seccomp-bpf', '--quiet=all'],
  ...['-e', `trace=${CALLS.join()}`, '-e', 'signal=none', '-o', file],
];

const TEXT = /"((?:\\x[0-9a-f]{2})*)"/g;
const NUMBER = /^\d+$/;

const bytesOf = (text) => Buffer.from(text.replaceAll('\\x', ''), 'hex');
const nameOf = (text) => bytesOf(text).toString();

/** One call, as far as its arguments say; null when it is of no interest. */
function callOf(name, args) {
  const [, descriptor, path] = /^(\d+)<((?:\\x[0-9a-f]{2})*)>/.exec(args) ?? [];
  const file = descriptor === undefined ? undefined : { descriptor, path: nameOf(path) };
  const texts = [...args.matchAll(TEXT)].map(([, text]) => text);
  // An offset or a length comes last.
  const numbers = args
    .replace(/\) += [^=]*$| <unfinished \.\.\.>$/, '')
    .replace(TEXT, '')
    .split(', ')
    .filter((each) => NUMBER.test(each))
    .map(Number);
  switch (name) {
    case 'openat':
      return {
        kind: 'open',
        path: nameOf(texts[0]),
        flags: new Set(/O_[A-Z|_]+/.exec(args)?.[0].split('|')),
      };
    case 'lseek':
      return { kind: 'seek', ...file };
    case 'write':
    case 'writev':
      return { kind: 'write', ...file, data: Buffer.concat(texts.map(bytesOf)) };
    case 'pwrite64':
    case 'pwritev':
      return { kind: 'write', ...file, data: Buffer.concat(texts.map(bytesOf)), at: numbers.at(-1) };
    case 'ftruncate':
      return { kind: 'truncate', ...file, bytes: numbers.at(-1) };
    case 'fsync':
    case 'fdatasync':
      return { kind: 'sync', ...file };
    case 'rename':
    case 'link':
      return { kind: name, path: nameOf(texts[0]), to: nameOf(texts[1]) };
    case 'unlink':
    case 'rmdir':
      return { kind: 'unlink', path: nameOf(texts[0]) };
    case 'mkdir':
      return { kind: 'mkdir', path: nameOf(texts[0]) };
    default:
      throw new Error(`no process here was expected to call ${name}(${args.slice(0, 200)}`);
  }
}

/**
 * The calls that did not fail, in the order in which they began: `{ kind, begin, end, … }`. One that had not ended when the
 * trace did has `end: Infinity`. `wants(path)`: whether a file is of interest; paths are absolute.
 */
export async function readTrace(file, wants) {
  const calls = [];
  const underWay = new Map();
  let line = 0;
  const finish = (call, result) => {
    call.end = line;
    const [, code, descriptor] = /^= (-?\d+)(<)?/.exec(result) ?? [];
    call.failed = code === undefined || Number(code) < 0;
    if (call.kind === 'open' && descriptor !== undefined) call.descriptor = code;
    if (call.kind === 'seek') call.at = Number(code);
    if (call.kind === 'write' && Number(code) < call.data.length)
      call.data = call.data.subarray(0, Number(code));
  };
  for await (const text of createInterface({
    input: createReadStream(file, 'latin1'),
    crlfDelay: Infinity,
  })) {
    line++;
    const [, thread, rest] = /^(\d+) +(.*)$/s.exec(text) ?? [];
    if (rest === undefined) continue;
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/s.exec(rest);
    if (resumed !== null) {
      const call = underWay.get(thread);
      underWay.delete(thread);
      if (call !== undefined) finish(call, resultOf(resumed[1]));
      continue;
    }
    const [, name, args] = /^(\w+)\((.*)$/s.exec(rest) ?? [];
    if (name === undefined || !mayBeWanted(args, wants)) continue;
    const call = callOf(name, args);
    Object.assign(call, { begin: line, end: Infinity });
    if (!wants(call.path) && !(call.to !== undefined && wants(call.to))) continue;
    calls.push(call);
    if (rest.endsWith('<unfinished ...>')) underWay.set(thread, call);
    else finish(call, resultOf(args));
  }
  return calls.filter(({ failed }) => failed !== true);
}

/** From the equals sign on, which is padded. */
const resultOf = (text) => /\) +(= [^=]*)$/.exec(text)?.[1] ?? '';

/** Decoding megabytes of what is written elsewhere would take longer than the run: a path comes first in every call. */
function mayBeWanted(args, wants) {
  const [, path] = /^[^,"]*<((?:\\x[0-9a-f]{2})*)>/.exec(args) ?? [];
  if (path === undefined || args.startsWith('AT_FDCWD')) return true;
  return wants(nameOf(path));
}
