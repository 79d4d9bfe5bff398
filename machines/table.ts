import { type AnyStateMachine, type AnyStateNode, getInitialSnapshot, type StateValue } from 'xstate';
import { invariant } from '../src/base/assert.js';

/** One way out of a leaf. */
export interface Edge<C, E> {
  /** null: always. */
  readonly guard: ((args: { context: C; event: E }) => boolean) | null;
  readonly target: number;
  /** null: the context stays the same object. */
  readonly update: ((context: C, event: E) => C) | null;
  /** Only `ignoreLate`: stays here, changes nothing. */
  readonly ignored: boolean;
}

/** A machine definition, read into arrays. */
export interface Table<C, E> {
  /** `[leaf * eventCount + event]`: the edges to try, in the order of the definition. */
  readonly cells: readonly (readonly Edge<C, E>[] | undefined)[];
  /** State value by leaf. */
  readonly values: readonly StateValue[];
  readonly initialLeaf: number;
  readonly initialContext: C;
  readonly leafOf: (value: StateValue) => number | undefined;
}

/** The action of events that are tolerated where they change nothing. */
const IGNORE_LATE = 'ignoreLate';

type Assigner<C, E> = (args: { context: C; event: E }) => unknown;
type Transition = AnyStateNode['transitions'] extends Map<string, (infer T)[]> ? T : never;

/**
 * Reads XState's own structures (not the configuration, so that its defaults and target resolution hold).
 * Throws INVARIANT, naming the place, for whatever a table cannot express: entry and exit actions, `after`,
 * `invoke`, `always`, parallel, history and final states, tags, wildcards, compound targets, actions other
 * than `assign` and `ignoreLate`, guards with parameters; and when the states or events are not those given.
 */
export function readTable<C, E>(
  machine: AnyStateMachine,
  options: { leaves: readonly string[]; eventTypes: readonly string[] },
): Table<C, E> {
  const { leaves, eventTypes } = options;
  const nodes = new Map<string, AnyStateNode>();
  collectLeaves(machine.root, nodes);
  assertSame(`${machine.id}: states`, [...nodes.keys()], leaves);

  const code = new Map(leaves.map((leaf, index) => [leaf, index]));
  const column = new Map(eventTypes.map((type, index) => [type, index]));
  const cells: (Edge<C, E>[] | undefined)[] = new Array<undefined>(leaves.length * eventTypes.length).fill(
    undefined,
  );
  const handled = new Set<string>();
  for (const [leaf, node] of nodes) {
    // The leaf's own transitions are tried first, then those of the states around it.
    for (let at: AnyStateNode | undefined = node; at; at = at.parent) {
      for (const [type, transitions] of at.transitions) {
        const event = column.get(type);
        invariant(event !== undefined, `${at.id}: event ${type} is not in the list of event types`);
        handled.add(type);
        const cell = (cells[code.get(leaf)! * eventTypes.length + event] ??= []);
        for (const transition of transitions) cell.push(readEdge(machine, transition, leaf, code));
      }
    }
  }
  assertSame(`${machine.id}: events`, [...handled], eventTypes);

  const initial = getInitialSnapshot(machine);
  const values = leaves.map(valueOf);
  const byValue = new Map(values.map((value, index) => [JSON.stringify(value), index]));
  const leafOf = (value: StateValue): number | undefined => byValue.get(JSON.stringify(value));
  return {
    cells,
    values,
    leafOf,
    initialLeaf: leafOf(initial.value as StateValue)!,
    initialContext: initial.context as C,
  };
}

function collectLeaves(node: AnyStateNode, into: Map<string, AnyStateNode>): void {
  const refuse = (bad: boolean, what: string): void =>
    invariant(!bad, `${node.id}: a table cannot express ${what}`);
  refuse(node.type !== 'atomic' && node.type !== 'compound', `a ${node.type} state`);
  // Before entry and exit: XState turns `after` into those.
  refuse(node.after.length > 0, 'after');
  refuse(node.entry.length > 0, 'entry actions');
  refuse(node.exit.length > 0, 'exit actions');
  refuse(node.invoke.length > 0, 'invoke');
  refuse(node.always !== undefined && node.always.length > 0, 'always');
  refuse(node.tags.length > 0, 'tags');
  if (node.type === 'atomic') into.set(node.path.join('.'), node);
  else {
    refuse(node.initial.actions.length > 0, 'actions on the initial transition');
    for (const child of Object.values(node.states)) collectLeaves(child, into);
  }
}

function readEdge<C, E>(
  machine: AnyStateMachine,
  transition: Transition,
  leaf: string,
  code: ReadonlyMap<string, number>,
): Edge<C, E> {
  const where = `${transition.source.id} on ${String(transition.eventType)}`;
  const targets = transition.target ?? [];
  invariant(targets.length <= 1, `${where}: a table cannot express several targets`);
  const target = targets.length === 1 ? targets[0].path.join('.') : leaf;
  invariant(code.has(target), `${where}: the target ${target} is not a leaf; name the leaf`);

  const ignored = transition.actions.some((action) => nameOf(action) === IGNORE_LATE);
  const alone = transition.actions.length === 1 && targets.length === 0 && transition.guard === undefined;
  invariant(
    !ignored || alone,
    `${where}: ${IGNORE_LATE} stands alone, without target, guard or other actions`,
  );
  invariant(
    targets.length === 1 || transition.actions.length > 0,
    `${where}: does nothing; list ${IGNORE_LATE}`,
  );

  const assigners = ignored
    ? []
    : transition.actions.map((action) => readAssign<C, E>(machine, action, where));
  return {
    guard: readGuard(machine, transition.guard, where),
    target: code.get(target)!,
    update: chain(assigners),
    ignored,
  };
}

function readGuard<C, E>(machine: AnyStateMachine, guard: unknown, where: string): Edge<C, E>['guard'] {
  if (guard === undefined) return null;
  const resolved: unknown = typeof guard === 'string' ? machine.implementations.guards[guard] : guard;
  // XState's and(), or(), not() are functions with a `check`; they are no plain predicates.
  const plain = typeof resolved === 'function' && !('check' in resolved);
  invariant(plain, `${where}: a table can express only guards that are plain functions, without parameters`);
  return resolved as Edge<C, E>['guard'];
}

function readAssign<C, E>(machine: AnyStateMachine, action: unknown, where: string) {
  const name = nameOf(action);
  const resolved: unknown = name === undefined ? action : machine.implementations.actions[name];
  const builtin = resolved as { type?: unknown; assignment?: unknown } | undefined;
  invariant(
    typeof resolved === 'function' && builtin?.type === 'xstate.assign',
    `${where}: a table can express only assign and ${IGNORE_LATE}, not the action ${name ?? 'given inline'}`,
  );
  return compileAssignment<C, E>(builtin.assignment);
}

/** The name of an action that is given by name, as text or as an object without parameters. */
function nameOf(action: unknown): string | undefined {
  if (typeof action === 'string') return action;
  if (typeof action !== 'object' || action === null) return undefined;
  const { type, params } = action as { type: string; params?: unknown };
  invariant(params === undefined, `a table cannot express parameters of the action ${type}`);
  return type;
}

function compileAssignment<C, E>(assignment: unknown): (context: C, event: E) => C {
  if (typeof assignment === 'function') {
    const assigner = assignment as Assigner<C, E>;
    return (context, event) => ({ ...context, ...(assigner({ context, event }) as Partial<C>) });
  }
  const keys = Object.keys(assignment as object) as (keyof C)[];
  const givens = Object.values(assignment as object) as (Assigner<C, E> | C[keyof C])[];
  // Most say again what is so already: what changes nothing copies nothing.
  return (context, event) => {
    let next: C | null = null;
    for (let k = 0; k < keys.length; k++) {
      const key = keys[k];
      const given = givens[k];
      const value =
        typeof given === 'function' ? ((given as Assigner<C, E>)({ context, event }) as C[keyof C]) : given;
      if (value !== context[key]) (next ??= { ...context })[key] = value;
    }
    return next ?? context;
  };
}

function chain<C, E>(updates: readonly ((context: C, event: E) => C)[]): Edge<C, E>['update'] {
  if (updates.length <= 1) return updates[0] ?? null;
  return (context, event) => updates.reduce((current, update) => update(current, event), context);
}

function valueOf(leaf: string): StateValue {
  const path = leaf.split('.');
  const innermost = path.pop()!;
  return path.reduceRight<StateValue>((inner, key) => ({ [key]: inner }), innermost);
}

function assertSame(what: string, actual: readonly string[], expected: readonly string[]): void {
  const extra = actual.filter((name) => !expected.includes(name));
  const missing = expected.filter((name) => !actual.includes(name));
  const unique = new Set(expected).size === expected.length;
  invariant(
    unique && extra.length === 0 && missing.length === 0,
    `${what} differ from the list given: not listed [${extra.join(', ')}], not in the machine [${missing.join(', ')}]`,
  );
}
