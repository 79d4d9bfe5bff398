import { createHash } from 'node:crypto';
import { MaestroError, toErrorDocument } from '../base/errors.js';
import { RareMap } from '../base/rare-map.js';
import type { MapList } from '../engine/effects.js';
import { growingPlan, mapOfNode } from '../graph/index.js';
import { MAX_MAP_NODES } from '../policy/map.js';
import type { ActiveExecution } from './active-execution.js';
import { referencedOutputs } from './outputs.js';

/** What a map goes over. */
interface Values {
  readonly items: readonly unknown[];
  readonly digest: string;
  /** Outputs that conditions of its items read, parsed once for all of them, by node. */
  readonly parsed: Map<number, unknown>;
}

type OutputText = (node: number) => Promise<string>;

/** Items hashed at once: as text they must not all be in memory. */
const HASHED_AT_ONCE = 1000;

/**
 * The items of the maps of one execution that are under way. They are never stored: they are what an expression gives
 * over stored outputs, which do not change before the map starts over, so they are evaluated again after a restart.
 */
export class MapValues {
  private readonly known = new RareMap<number, Values>();
  private readonly loading = new RareMap<number, Promise<Values>>();

  /** Evaluates the list of the map with this gate. Never rejects: what goes wrong is the answer. */
  async expand(execution: ActiveExecution, gate: number, outputText: OutputText): Promise<MapList> {
    const { plan } = execution.definition;
    const map = plan.mapOf.get(gate)!;
    try {
      const values = await evaluate(execution, map, outputText);
      const { length } = values.items;
      const stages = plan.maps[map].stages.length;
      if (length * stages > MAX_MAP_NODES) throw tooLong(execution, map, length);
      this.known.set(map, values);
      return { items: length, digest: values.digest };
    } catch (error) {
      return { error: toErrorDocument(error) };
    }
  }

  /** Whether the item of an item node is at hand; else it has to be loaded. */
  has(execution: ActiveExecution, node: number): boolean {
    return this.at(execution, mapOfNode(execution.definition.plan, node)) !== undefined;
  }

  /** The item of an item node, which is at hand, as JSON text. */
  textOf(execution: ActiveExecution, node: number): string {
    const values = this.at(execution, mapOfNode(execution.definition.plan, node))!;
    return JSON.stringify(values.items[numberOf(execution, node)]);
  }

  /** Where conditions of an item node find what they read. @throws what the evaluation throws */
  async load(execution: ActiveExecution, node: number, outputText: OutputText): Promise<Values> {
    const map = mapOfNode(execution.definition.plan, node);
    const values = this.at(execution, map);
    if (values !== undefined) return values;
    let loading = this.loading.get(map);
    if (loading === undefined) {
      loading = this.again(execution, map, outputText).finally(() => this.loading.delete(map));
      this.loading.set(map, loading);
    }
    return loading;
  }

  /** The map has ended. */
  drop(map: number): void {
    this.known.delete(map);
  }

  private async again(execution: ActiveExecution, map: number, outputText: OutputText): Promise<Values> {
    const values = await evaluate(execution, map, outputText);
    this.known.set(map, values);
    if (this.at(execution, map) !== undefined) return values;
    const { source } = execution.definition.listOf(map);
    const what = `map ${JSON.stringify(source)} gives another list than the one that its items were made for`;
    throw new MaestroError('MAP_LIST', what, { next: 'Run the map again: `maestro rerun`.' });
  }

  /** What is known is of use only while it is the list that the engine goes by. */
  private at({ definition }: ActiveExecution, map: number): Values | undefined {
    const values = this.known.get(map);
    return values?.digest === growingPlan(definition.plan)?.expansionOf(map)?.digest ? values : undefined;
  }
}

/** The number of the item that a node is for. */
export function numberOf({ definition: { plan } }: ActiveExecution, node: number): number {
  return plan.itemNumbers[node - plan.fixedCount];
}

async function evaluate(
  { definition, engine, globalContext }: ActiveExecution,
  map: number,
  outputText: OutputText,
): Promise<Values> {
  const list = definition.listOf(map);
  const outputs = await referencedOutputs(engine.state, list.references, outputText);
  const context = JSON.parse(globalContext) as Record<string, unknown>;
  const items = list.evaluate({ outputs, globalContext: context });
  return { items, digest: digestOf(items), parsed: new Map() };
}

function digestOf(items: readonly unknown[]): string {
  const hash = createHash('sha256');
  for (let at = 0; at < items.length; at += HASHED_AT_ONCE)
    hash.update(JSON.stringify(items.slice(at, at + HASHED_AT_ONCE)));
  return hash.digest('base64url');
}

function tooLong({ definition }: ActiveExecution, map: number, items: number): MaestroError {
  const { source } = definition.listOf(map);
  const stages = definition.plan.maps[map].stages.length;
  const with_ = stages === 1 ? '' : `, each done in ${stages} steps`;
  const message = `map ${JSON.stringify(source)} gave a list of ${items} items${with_}: more than ${MAX_MAP_NODES} nodes`;
  return new MaestroError('MAP_LIST', message, {
    next: 'Put several items into one, or start several executions.',
  });
}
