import {
  type ActorLogic,
  type AnyStateMachine,
  type ContextFrom,
  type EventFromLogic,
  matchesState,
} from 'xstate';
import type { EventObject, Snapshot, StateValue } from 'xstate';
import { MaestroError } from '../src/base/errors.js';
import { readTable, type Table } from './table.js';

/** Where a machine is: a valid XState snapshot, cheap to create. Immutable. */
export interface CompiledSnapshot<C> {
  readonly status: 'active' | 'stopped';
  readonly output: undefined;
  readonly error: undefined;
  readonly value: StateValue;
  /** Index into the machine's leaves. */
  readonly leaf: number;
  readonly context: C;
  /** As XState's: `matches('failed')` holds in both leaves of `failed`. */
  matches(value: StateValue): boolean;
  /** As XState's: whether the event is legal here, tolerated late ones included. */
  can(event: { type: string }): boolean;
}

/** Where a step leads. */
export interface Step<C> {
  leaf: number;
  context: C;
  /** The event is tolerated here as late: it changes nothing and needs no record. */
  isLate: boolean;
}

/** A machine definition as a table: the same behaviour as the definition, at a fraction of the cost. */
export interface CompiledMachine<C, E extends EventObject> {
  readonly id: string;
  readonly leaves: readonly string[];
  readonly initialLeaf: number;
  readonly initialContext: C;
  /** The state value of a leaf, e.g. `{ failed: 'retrying' }` for `failed.retrying`. */
  readonly valueOf: (leaf: number) => StateValue;
  /** Whether the event is legal here; tolerated late events are. */
  readonly accepts: (leaf: number, context: C, event: E) => boolean;
  /** Pure: where the event leads, or undefined when it is illegal here. */
  readonly step: (leaf: number, context: C, event: E) => Step<C> | undefined;
  /**
   * Actor logic over the table. `createActor(logic, { input: { leaf, context } })` starts anywhere. As in any
   * XState actor an illegal event changes nothing: ask `accepts` before sending.
   */
  readonly logic: CompiledLogic<C, E>;
  /**
   * The same logic, beginning elsewhere: `createActor(startingAt(leaf, context))`. Six times faster than giving
   * `input`, because any option at all makes XState's actor constructor slow (5 µs; without, under 1 µs).
   */
  readonly startingAt: (leaf: number, context: C) => CompiledLogic<C, E>;
}

/** Where an actor starts; what is left out is the machine's own beginning. */
export type CompiledInput<C> = { leaf?: number; context?: C } | undefined;
export type CompiledLogic<C, E extends EventObject> = ActorLogic<CompiledSnapshot<C>, E, CompiledInput<C>>;

export interface CompileOptions {
  /** Every leaf, in the order of the codes on disk. */
  leaves: readonly string[];
  /** Every event type, in the order of the codes on disk. */
  eventTypes: readonly string[];
}

/** The event with which XState tells an actor's logic that the actor is being stopped. */
const XSTATE_STOP = 'xstate.stop';

/**
 * Derives a table from an XState machine. The definition stays the only source of truth: it is read, never
 * repeated. Throws INVARIANT when the definition uses what a table cannot express (see `readTable`).
 */
export function compileMachine<M extends AnyStateMachine>(
  machine: M,
  options: CompileOptions,
): CompiledMachine<ContextFrom<M>, EventFromLogic<M>> {
  type C = ContextFrom<M>;
  type E = EventFromLogic<M>;
  const table = readTable<C, E>(machine, options);
  const { cells, initialLeaf, values } = table;
  const initialContext = table.initialContext;
  const width = options.eventTypes.length;
  const column = new Map(options.eventTypes.map((type, index) => [type, index]));

  const accepts = (leaf: number, context: C, event: E): boolean => pick(leaf, context, event) !== undefined;
  const pick = (leaf: number, context: C, event: E) => {
    const index = column.get(event.type as string);
    const cell = index === undefined ? undefined : cells[leaf * width + index];
    if (cell === undefined) return undefined;
    for (const edge of cell) if (edge.guard === null || edge.guard({ context, event })) return edge;
    return undefined;
  };
  const step = (leaf: number, context: C, event: E): Step<C> | undefined => {
    const edge = pick(leaf, context, event);
    if (edge === undefined) return undefined;
    const next = edge.update === null ? context : edge.update(context, event);
    return { leaf: edge.target, context: next, isLate: edge.ignored };
  };

  return {
    id: machine.id,
    leaves: options.leaves,
    initialLeaf,
    initialContext,
    valueOf: (leaf) => values[leaf],
    accepts,
    step,
    ...makeLogic(table, step, accepts),
  };
}

function makeLogic<C, E extends EventObject>(
  { initialLeaf, initialContext, values, leafOf }: Table<C, E>,
  step: CompiledMachine<C, E>['step'],
  accepts: CompiledMachine<C, E>['accepts'],
): Pick<CompiledMachine<C, E>, 'logic' | 'startingAt'> {
  // A class, so that every snapshot has one shape and its methods cost nothing.
  class TableSnapshot implements CompiledSnapshot<C> {
    readonly output = undefined;
    readonly error = undefined;
    constructor(
      readonly status: 'active' | 'stopped',
      readonly value: StateValue,
      readonly leaf: number,
      readonly context: C,
    ) {}

    matches(value: StateValue): boolean {
      return matchesState(value, this.value);
    }

    can(event: { type: string }): boolean {
      return accepts(this.leaf, this.context, event as E);
    }
  }

  class TableLogic implements CompiledLogic<C, E> {
    constructor(
      private readonly leaf: number,
      private readonly context: C,
    ) {}

    getInitialSnapshot(_scope: unknown, input?: CompiledInput<C>): CompiledSnapshot<C> {
      const leaf = input?.leaf ?? this.leaf;
      return new TableSnapshot('active', values[leaf], leaf, input?.context ?? this.context);
    }

    transition(snapshot: CompiledSnapshot<C>, event: E): CompiledSnapshot<C> {
      const next = step(snapshot.leaf, snapshot.context, event);
      if (next !== undefined) return new TableSnapshot('active', values[next.leaf], next.leaf, next.context);
      if (event.type !== XSTATE_STOP) return snapshot;
      return new TableSnapshot('stopped', snapshot.value, snapshot.leaf, snapshot.context);
    }

    // With the two fields that the interpreted machine asks for, so that either can restore it.
    getPersistedSnapshot({ value, context }: CompiledSnapshot<C>): Snapshot<unknown> {
      const persisted = { status: 'active', value, context, children: {}, historyValue: {} };
      return persisted as unknown as Snapshot<unknown>;
    }

    restoreSnapshot(persisted: Snapshot<unknown>): CompiledSnapshot<C> {
      const { value, context } = persisted as unknown as { value: StateValue; context: C };
      const leaf = leafOf(value);
      if (leaf === undefined) {
        throw new MaestroError('RECORD_CORRUPT', `no state ${JSON.stringify(value)} in this machine`);
      }
      return new TableSnapshot('active', values[leaf], leaf, context);
    }
  }

  return {
    logic: new TableLogic(initialLeaf, initialContext),
    startingAt: (leaf, context) => new TableLogic(leaf, context),
  };
}
