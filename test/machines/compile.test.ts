import { describe, expect, it } from 'vitest';
import { and, assign, createMachine, raise, setup } from 'xstate';
import { compileMachine, nodeMachine, NODE_EVENT_TYPES, NODE_LEAVES } from '../../machines/index.js';

const AB = { leaves: ['a', 'b'], eventTypes: ['go'] };

/** A small machine whose state `a` is given. */
const withA = (a: object) =>
  createMachine({ id: 'm', initial: 'a', context: { n: 0 }, states: { a, b: {} } } as never);

describe('compileMachine', () => {
  it('takes guards in order, inherited transitions, chained and functional assigns', () => {
    const machine = setup({
      types: {
        context: {} as { n: number; m: number },
        events: {} as { type: 'go'; by: number } | { type: 'up' },
      },
      guards: { big: ({ event }) => event.type === 'go' && event.by > 10 },
      actions: {
        addBy: assign(({ context, event }) => ({ n: context.n + (event.type === 'go' ? event.by : 0) })),
        copy: assign({ m: ({ context }) => context.n }),
      },
    }).createMachine({
      id: 'm',
      context: { n: 0, m: 0 },
      initial: 'a',
      states: {
        a: {
          initial: 'x',
          states: { x: { on: { go: { guard: 'big', target: '#m.b' } } }, y: {} },
          on: { go: { target: '.y', actions: ['addBy', 'copy'] } },
        },
        b: { on: { up: { actions: assign({ n: 1 }) } } },
      },
    });
    const { step, valueOf } = compileMachine(machine, {
      leaves: ['a.x', 'a.y', 'b'],
      eventTypes: ['go', 'up'],
    });
    expect(valueOf(1)).toEqual({ a: 'y' });
    expect(step(0, { n: 1, m: 0 }, { type: 'go', by: 2 })).toEqual({
      leaf: 1,
      context: { n: 3, m: 3 },
      isLate: false,
    });
    expect(step(0, { n: 1, m: 0 }, { type: 'go', by: 11 })).toEqual({
      leaf: 2,
      context: { n: 1, m: 0 },
      isLate: false,
    });
    expect(step(2, { n: 5, m: 0 }, { type: 'up' })).toEqual({
      leaf: 2,
      context: { n: 1, m: 0 },
      isLate: false,
    });
    expect(step(0, { n: 1, m: 0 }, { type: 'up' })).toBeUndefined();
  });

  it('never changes the context it is given', () => {
    const machine = withA({ on: { go: { actions: assign({ n: 1 }) } } });
    const context = Object.freeze({ n: 0 });
    const { step } = compileMachine(machine, AB);
    expect(step(0, context as never, { type: 'go' })!.context).toEqual({ n: 1 });
    expect(context).toEqual({ n: 0 });
  });

  it.each<[string, object, RegExp]>([
    ['entry actions', { entry: () => {}, on: { go: 'b' } }, /m\.a: a table cannot express entry/],
    ['exit actions', { exit: () => {}, on: { go: 'b' } }, /exit/],
    ['after', { after: { 10: 'b' }, on: { go: 'b' } }, /m\.a: a table cannot express after/],
    ['invoke', { invoke: { src: createMachine({}) }, on: { go: 'b' } }, /invoke/],
    ['always', { always: 'b', on: { go: 'b' } }, /always/],
    ['final states', { type: 'final' }, /a final state/],
    [
      'parallel states',
      { type: 'parallel', states: { p: {}, q: {} }, on: { go: '#m.b' } },
      /a parallel state/,
    ],
    ['tags', { tags: ['t'], on: { go: 'b' } }, /tags/],
    ['wildcards', { on: { '*': 'b' } }, /event \* is not in the list/],
    ['raise', { on: { go: { target: 'b', actions: raise({ type: 'go' }) } } }, /only assign and ignoreLate/],
    ['functions as actions', { on: { go: { target: 'b', actions: () => {} } } }, /only assign/],
    ['unknown actions', { on: { go: { target: 'b', actions: 'nope' } } }, /not the action nope/],
    ['parameters', { on: { go: { target: 'b', actions: { type: 'x', params: {} } } } }, /parameters/],
    ['unknown guards', { on: { go: { target: 'b', guard: 'nope' } } }, /only guards/],
    ['composed guards', { on: { go: { target: 'b', guard: and(['x']) } } }, /only guards/],
    ['handlers that do nothing', { on: { go: {} } }, /does nothing; list ignoreLate/],
    ['ignoreLate that moves', { on: { go: { target: 'b', actions: 'ignoreLate' } } }, /stands alone/],
    ['events not listed', { on: { go: 'b', other: 'b' } }, /event other is not in the list/],
    ['events not handled', {}, /events differ.*not in the machine \[go\]/],
  ])('refuses %s', (_, a, message) => {
    expect(() => compileMachine(withA(a), AB)).toThrow(message);
  });

  it('refuses compound targets: the leaf has to be named', () => {
    const compound = createMachine({
      id: 'm',
      initial: 'a',
      states: { a: { on: { go: 'c' } }, c: { initial: 'd', states: { d: {} } } },
    });
    const options = { leaves: ['a', 'c.d'], eventTypes: ['go'] };
    expect(() => compileMachine(compound, options)).toThrow(/target c is not a leaf/);
  });

  it('refuses lists that differ from the machine: codes on disk come from them', () => {
    const eventTypes = NODE_EVENT_TYPES;
    const missing = NODE_LEAVES.filter((leaf) => leaf !== 'blocked');
    expect(() => compileMachine(nodeMachine, { leaves: missing, eventTypes })).toThrow(
      /not listed \[blocked\]/,
    );
    const extra = [...NODE_LEAVES, 'asleep'];
    expect(() => compileMachine(nodeMachine, { leaves: extra, eventTypes })).toThrow(
      /not in the machine \[asleep\]/,
    );
    const twice = [...NODE_LEAVES, 'pending'];
    expect(() => compileMachine(nodeMachine, { leaves: twice, eventTypes })).toThrow(/differ/);
  });
});
