import type { Colors } from 'picocolors/types.js';
import type { DefinitionDifference, FieldDifference } from '../../runtime/index.js';
import { count, oneLine, truncate } from '../format/text.js';

const VALUE_WIDTH = 60;

/** How two definitions differ, node by node, for people. */
export function formatDifference(difference: DefinitionDifference, color: Colors): string {
  const { added, removed, changed, unchanged, workflow } = difference;
  const sizes = [
    [added, 'added'],
    [removed, 'removed'],
    [changed, 'changed'],
  ] as const;
  const said = sizes.flatMap(([list, what]) => (list.length === 0 ? [] : [`${list.length} ${what}`]));
  return [
    `${count(added.length + changed.length + unchanged, 'node')}: ${[...said, `${unchanged} unchanged`].join(', ')}`,
    ...added.map((id) => color.green(`  + ${oneLine(id)}`)),
    ...removed.map((id) => color.red(`  - ${oneLine(id)}`)),
    ...changed.flatMap(({ node_id, fields, decides }) => [
      color.yellow(`  ~ ${oneLine(node_id)}${decides ? '' : ' (only how it runs)'}`),
      ...fields.map(fieldLine),
    ]),
    ...(workflow.length === 0 ? [] : [color.yellow('  ~ the workflow'), ...workflow.map(fieldLine)]),
  ].join('\n');
}

function fieldLine({ field, before, after }: FieldDifference): string {
  return `      ${oneLine(field)}: ${valueText(before)} → ${valueText(after)}`;
}

function valueText(value: unknown): string {
  return value === null ? '–' : truncate(oneLine(JSON.stringify(value)), VALUE_WIDTH);
}
