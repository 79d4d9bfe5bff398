import { examples, type Registry } from '../command-registry.js';
import { EXIT } from '../error-report.js';
import { findExecution, resolveExecutionId } from '../execution-ref.js';
import { count, formatTable, oneLine, shellQuote } from '../format/text.js';
import { parseJsonOption } from '../options.js';
import { MaestroError, type ReviewDocument, type ReviewInput, type Runtime } from '../../runtime/index.js';
import { withStoredRuntime, type CommandContext } from '../session.js';
import { reportAnswer } from '../report/answer-text.js';

const ID_HELP = 'execution id, a unique beginning of one, or `last`';

export function addReviewsCommand({ program, bind }: Registry): void {
  program
    .command('reviews')
    .description('list open reviews: what waits for a person')
    .option('--execution <id>', 'of this execution only')
    .addHelpText('after', examples('maestro reviews', 'maestro reviews --json | jq .reviews[].node_id'))
    .action(bind(reviews));
}

export function addReviewCommand({ program, bind }: Registry): void {
  program
    .command('review')
    .description('decide an open review, or comment on it, whichever process runs the execution')
    .argument('<id>', ID_HELP)
    .argument('<node>', 'id of the node that waits')
    .option('--approve', 'the node completes')
    .option('--reject', 'the node fails, unless its definition says that it completes')
    .option('--comment <text>', 'kept with the decision; without one, only told')
    .option('--response <json>', 'what the review asks for; must fit its schema')
    .option('--reviewer <name>', 'who decides')
    .addHelpText(
      'after',
      examples(
        'maestro review last approve --approve --reviewer ada',
        'maestro review last approve --reject --comment "not yet"',
        `maestro review last approve --approve --response '{"amount":5}'`,
      ),
    )
    .action(bind(review));
}

async function reviews(context: CommandContext, options: { execution?: string }): Promise<number> {
  const { ui } = context;
  const found = await withStoredRuntime(context, async (runtime) =>
    allReviews(
      runtime,
      options.execution === undefined ? undefined : await resolveExecutionId(runtime, options.execution),
    ),
  );
  if (ui.json) ui.document({ reviews: found });
  else if (found.length === 0) ui.print('no review is open');
  else ui.print(listText(found, context));
  return EXIT.success;
}

async function allReviews(runtime: Runtime, executionId: string | undefined): Promise<ReviewDocument[]> {
  const found: ReviewDocument[] = [];
  let after: string | undefined;
  do {
    const page = await runtime.reviews({ executionId, after });
    found.push(...page.reviews);
    after = page.next;
  } while (after !== undefined);
  return found;
}

function listText(found: readonly ReviewDocument[], { ui, store }: CommandContext): string {
  const header = ['EXECUTION', 'NODE', 'ASKED', 'DEADLINE', 'ASSIGNEES', 'INSTRUCTIONS'].map(ui.color.dim);
  const rows = found.map((each) => [
    each.execution_id,
    oneLine(each.node_id),
    each.asked_at,
    each.deadline ?? '–',
    each.assignees.map(oneLine).join(', '),
    oneLine(each.instructions ?? ''),
  ]);
  const [first] = found;
  const command = ['maestro', 'review', first.execution_id, first.node_id, '--approve', ...store.args];
  return [
    ...formatTable([header, ...rows]),
    '',
    `${count(found.length, 'open review')}; decide with: ${ui.color.bold(command.map(shellQuote).join(' '))}`,
  ].join('\n');
}

interface ReviewFlags {
  approve?: boolean;
  reject?: boolean;
  comment?: string;
  response?: string;
  reviewer?: string;
}

async function review(
  context: CommandContext,
  ref: string,
  node: string,
  options: ReviewFlags,
): Promise<number> {
  const input = inputOf(options);
  return withStoredRuntime(context, async (runtime) => {
    const { execution_id, node_states } = await findExecution(runtime, ref);
    const before = Object.hasOwn(node_states, node) ? commentsOf(node_states[node].metadata) : 0;
    await runtime.review(execution_id, node, input);
    const what =
      input.decision === undefined ? 'comment' : input.decision === 'approve' ? 'approval' : 'rejection';
    return reportAnswer(context, runtime, execution_id, what, { node_id: node, said: what }, (document) => {
      const { status, metadata } = document.node_states[node];
      return status !== 'running' || (input.decision === undefined && commentsOf(metadata) > before);
    });
  });
}

function commentsOf({ comments }: Record<string, unknown>): number {
  return Array.isArray(comments) ? comments.length : 0;
}

/** @throws USAGE */
function inputOf({ approve, reject, comment, response, reviewer }: ReviewFlags): ReviewInput {
  if (approve === true && reject === true)
    throw new MaestroError('USAGE', '--approve and --reject contradict each other');
  const decision = approve === true ? 'approve' : reject === true ? 'reject' : undefined;
  if (decision === undefined && comment === undefined)
    throw new MaestroError('USAGE', 'say --approve, --reject or --comment TEXT');
  return {
    decision,
    comment,
    reviewer,
    response: response === undefined ? undefined : parseJsonOption(response, '--response'),
  };
}
