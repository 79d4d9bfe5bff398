import { examples, type Registry } from '../command-registry.js';
import { resolveExecutionId } from '../execution-ref.js';
import { parseJsonOption } from '../options.js';
import { reportAnswer } from '../report/answer-text.js';
import { withStoredRuntime, type CommandContext } from '../session.js';

interface SignalFlags {
  payload?: string;
  signalId?: string;
}

export function addSignalCommand({ program, bind }: Registry): void {
  program
    .command('signal')
    .description('send an execution a signal that a node of it waits for, or will')
    .argument('<id>', 'execution id, a unique beginning of one, or `last`')
    .argument('<name>', 'name of the signal')
    .option('--payload <json>', 'what the node gets as its output; default: null')
    .option('--signal-id <id>', 'a signal with this id arrives once, however often it is sent')
    .addHelpText(
      'after',
      examples(
        'maestro signal last go',
        `maestro signal last paid --payload '{"amount":5}' --signal-id inv-17`,
      ),
    )
    .action(bind(signal));
}

async function signal(
  context: CommandContext,
  ref: string,
  name: string,
  { payload, signalId }: SignalFlags,
): Promise<number> {
  const value = payload === undefined ? null : parseJsonOption(payload, '--payload');
  return withStoredRuntime(context, async (runtime) => {
    const id = await resolveExecutionId(runtime, ref);
    await runtime.signal(id, name, value, { signalId });
    return reportAnswer(context, runtime, id, 'signal', { signal: name, signal_id: signalId ?? null });
  });
}
