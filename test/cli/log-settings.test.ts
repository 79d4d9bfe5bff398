import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createLogger } from '../../src/cli/logger.js';
import { parseLogLevels, parseRedactedKeys, redactor } from '../../src/cli/log-settings.js';
import { componentLogger } from '../../src/observe/logger.js';

describe('levels', () => {
  it.each([
    ['warn', 'warn', []],
    [
      'info,store=debug, pool=silent',
      'info',
      [
        ['store', 'debug'],
        ['pool', 'silent'],
      ],
    ],
    ['server=debug', 'info', [['server', 'debug']]],
  ])('%s', (text, level, components) => {
    const levels = parseLogLevels(text);
    expect([levels.level, [...levels.components]]).toEqual([level, components]);
  });

  it.each([
    ['', /no level/],
    ['loud', /"loud" is no level: debug, info/],
    ['info,warn', /two general levels/],
    ['disk=debug', /no component "disk": runtime/],
    ['store=loud', /"loud" is no level/],
    ['store=debug=info', /no component/],
  ])('%j is refused', (text, message) => expect(() => parseLogLevels(text)).toThrow(message));

  it('are those of the component that logs', async () => {
    const stream = new PassThrough();
    const levels = parseLogLevels('info,store=debug,pool=silent');
    const logger = (await createLogger({ levels, redact: ['pin'], pretty: true }, stream))!;
    logger.debug({}, 'not told');
    logger.info({ pin: 1234 }, 'general');
    componentLogger(logger, 'runtime').debug({}, 'not told');
    componentLogger(logger, 'store').debug({ execution_id: 'e' }, 'of the store');
    componentLogger(logger, 'pool').error({}, 'not told');
    stream.end();
    const lines = String(stream.read())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toMatchObject([
      { level: 'info', msg: 'general', pin: '[redacted]' },
      { level: 'debug', msg: 'of the store', component: 'store', execution_id: 'e' },
    ]);
    expect(lines[0].time).toMatch(/^\d{4}-\d\d-\d\dT/);
  });
});

describe('redaction', () => {
  const redact = redactor(parseRedactedKeys('ssn, session-id'));

  it('leaves out secret fields at any depth, however they are written', () => {
    const fields = {
      password: 'p',
      Authorization: 'Bearer x',
      execution_id: 'e',
      ssn: 1,
      nested: [
        { db_password: 'p', api_key: { a: 1 }, list: [{ 'X-Auth-Token': 't' }], sessionId: 's', id: 7 },
      ],
    };
    expect(redact(fields)).toEqual({
      password: '[redacted]',
      Authorization: '[redacted]',
      execution_id: 'e',
      ssn: '[redacted]',
      nested: [
        {
          db_password: '[redacted]',
          api_key: '[redacted]',
          list: [{ 'X-Auth-Token': '[redacted]' }],
          sessionId: '[redacted]',
          id: 7,
        },
      ],
    });
    expect(fields.password).toBe('p');
  });

  it('shows errors, and ends where things go round in circles', () => {
    const error = Object.assign(new Error('no'), { code: 'E', token: 't' });
    expect(redact({ error })).toMatchObject({
      error: { name: 'Error', message: 'no', code: 'E', token: '[redacted]' },
    });
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    expect(JSON.stringify(redact(circle))).toContain('[too deep]');
  });

  it('refuses keys that are none', () =>
    expect(() => parseRedactedKeys('a,,b')).toThrow(/divided by commas/));
});
