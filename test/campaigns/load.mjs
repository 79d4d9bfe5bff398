import { backlog } from './load-backlog.mjs';
import { events } from './load-events.mjs';
import { campaign } from './runner.mjs';

/* Much at once: executions that wait, and events that nobody takes. 0 leaves a part out. */
await campaign({
  name: 'load',
  flags: {
    executions: { default: 100_000, is: 'in the backlog of a process that is killed; 0: none' },
    events: { default: 1_000_000, is: 'to slow subscribers; 0: none' },
  },
  async run({ executions, events: eventCount, progress, aborted }) {
    const parts = [
      ['executions', executions, backlog],
      ['events', eventCount, events],
    ].filter(([, count]) => count > 0);
    const figures = {};
    const failures = [];
    for (const [done, [name, count, part]] of parts.entries()) {
      if (aborted()) break;
      const { problems, ...found } = await part(count, (note) => progress(done, parts.length, note));
      Object.assign(figures, { [name]: found });
      const others = parts.filter(([other]) => other !== name).map(([other]) => ` --${other} 0`);
      const reproduce = `npm run test:load -- --${name} ${count}${others.join('')}`;
      failures.push(...problems.map((problem) => ({ reproduce, problem })));
    }
    return { ...figures, failures };
  },
});
