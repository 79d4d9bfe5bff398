import { describe, expect, it } from 'vitest';
import { helloFolder, type Json } from './support/hello-folder.js';
import { maestro, start } from './support/maestro.js';

const { options, json } = helloFolder();

/** `maestro run approval.yaml` in a process of its own, once it waits for the review. */
async function waiting() {
  const running = start(['run', 'approval.yaml'], options);
  await running.until(/waiting approve: waits for a review until/);
  const { reviews } = (await json('reviews')) as { reviews: Json[] };
  return { running, review: reviews.at(-1)!, id: reviews.at(-1)!.execution_id as string };
}

describe('the example of an approval', () => {
  it('is decided, signalled and completed by other processes', async () => {
    const { running, review, id } = await waiting();
    expect(review).toMatchObject({
      workflow_id: 'hello-approval',
      node_id: 'approve',
      instructions: 'May this greeting go out?',
      assignees: ['ada'],
      default: { decision: 'reject' },
    });
    const listed = await maestro(['reviews'], options);
    expect(listed.out).toMatch(/1 open review; decide with: maestro review \S+ approve --approve/);
    const refused = await maestro(
      ['review', id, 'approve', '--approve', '--response', '{"copies":0}'],
      options,
    );
    expect(refused.code).toBe(1);
    expect(refused.err).toMatch(/copies must be >= 1.*\[PAYLOAD_INVALID\]/s);
    for (const wrong of [[], ['--approve', '--reject'], ['--approve', '--response', '{']])
      expect((await maestro(['review', id, 'approve', ...wrong], options)).code).toBe(2);
    expect((await maestro(['signal', id, 'nope'], options)).err).toMatch(/it knows "posted"/);

    // Early, and sent twice.
    for (let i = 0; i < 2; i++)
      await json('signal', id, 'posted', '--payload', '{"by":"courier"}', '--signal-id', 'p1');
    expect(await json('review', id, 'approve', '--comment', 'looks good')).toMatchObject({ said: 'comment' });
    expect((await maestro(['show', id], options)).out).toMatch(/approve\s+running\s+1.*waits for a review/);
    await json('review', id, 'approve', '--approve', '--response', '{"copies":2}', '--reviewer', 'ada');
    const { code, out } = await running.finished;
    expect(code, out).toBe(0);
    expect(await json('show', id)).toMatchObject({
      status: 'completed',
      node_states: { approve: { metadata: { comments: [{ comment: 'looks good' }] } } },
      node_outputs: {
        approve: { decision: 'approved', response: { copies: 2 }, reviewer: 'ada' },
        posted: { by: 'courier' },
      },
    });
    const late = await maestro(['signal', id, 'posted', '--payload', '{"by":"x"}'], options);
    expect(late.err).toMatch(/\[EXECUTION_STATE\]/);
  });

  it('goes on after its process was killed, with what it was told meanwhile', async () => {
    const { running, id } = await waiting();
    running.child.kill('SIGKILL');
    await running.finished;
    const kept = await maestro(['review', id, 'approve', '--approve', '--response', '{"copies":1}'], options);
    expect(kept.out).toMatch(/approval kept for \S+, which nobody runs; go on with: maestro resume/);
    await json('signal', id, 'posted', '--payload', '{"by":"bike"}');
    const resumed = await maestro(['resume', id], options);
    expect(resumed.code, resumed.err).toBe(0);
    const { out } = await maestro(['events', id, '--json'], options);
    const events = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Json);
    const started = events.filter((e) => e.node_id === 'approve' && e.event_type === 'node_started');
    expect(started.length).toBe(1);
    expect(await json('show', id)).toMatchObject({ node_outputs: { posted: { by: 'bike' } } });
  });

  it('says in its drawing what waits', async () => {
    expect((await maestro(['graph', 'approval.yaml', '--format', 'dot'], options)).out).toContain(
      '"posted (waits: signal posted)"',
    );
    expect(await json('graph', 'approval.yaml')).toMatchObject({
      waits: { approve: 'review', posted: 'signal', pause: 'time' },
    });
  });
});
