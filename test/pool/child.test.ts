import { expect, it } from 'vitest';
import { inheritedArguments } from '../../src/pool/child.js';

it.each([
  [
    ['--import', 'tsx', '--conditions=x'],
    ['--import', 'tsx', '--conditions=x'],
  ],
  [
    ['--enable-source-maps', '--inspect-brk=9229', '--max-old-space-size=4096'],
    ['--enable-source-maps', '--max-old-space-size=4096'],
  ],
  [['-e', 'code()', '--no-warnings'], ['--no-warnings']],
  [['-pe', '1', '--input-type=module'], []],
  [['--watch', '--test'], []],
])('children get the options that are not about their host: %j', (given, expected) => {
  expect(inheritedArguments(given)).toEqual(expected);
});
