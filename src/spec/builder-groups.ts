import { mapFields, type MapOptions } from './builder-maps.js';
import { compact } from './compact.js';
import type { NodeSpec, SupervisionSpec } from './types.js';

/** Nodes that are held together: see `WorkflowBuilder.group`. */
export interface GroupOptions<
  Member extends string,
  Dependency extends string,
  Mapped extends string | undefined = string | undefined,
> extends MapOptions<Mapped> {
  members: readonly Member[];
  /** For people. Default: the id. */
  name?: string;
  /** What all members depend on. */
  dependsOn?: readonly Dependency[];
  metadata?: Record<string, unknown>;
  /** Members that may execute at once; with `map`: items that may. */
  maxConcurrency?: number;
  /** What starts over when a member has failed for good. Default one_for_one. */
  strategy?: SupervisionSpec['strategy'];
  /** Restarts of the group, one more and it has failed. Default 0. */
  maxRestarts?: number;
  /** Only restarts of the last so many seconds count. Default: all. */
  withinSeconds?: number;
  /** What becomes of the others when a member failed and no restart is left. Default continue. */
  onMemberFailure?: NodeSpec['on_member_failure'];
}

/** Outputs by id; one that would make it too large is only named. */
export type GroupOutput<Outputs, Member extends keyof Outputs> = {
  [Id in Member]?: Outputs[Id] | { output_of: Id };
};

/** The group's document, its dependencies aside. */
export function groupSpec(
  id: string,
  options: GroupOptions<string, string>,
): NodeSpec & { members: string[] } {
  const { strategy, maxRestarts, withinSeconds } = options;
  const supervision = compact({ strategy, max_restarts: maxRestarts, within_seconds: withinSeconds });
  return compact({
    id,
    name: options.name ?? id,
    type: 'parallel_group' as const,
    metadata: options.metadata,
    members: [...options.members],
    ...mapFields(options),
    supervision: Object.keys(supervision).length > 0 ? supervision : undefined,
    on_member_failure: options.onMemberFailure,
  });
}
