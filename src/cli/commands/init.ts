import { isAbsolute, relative, resolve } from 'node:path';
import { examples, type Registry } from '../command-registry.js';
import { EXIT } from '../error-report.js';
import { formatTable, shellQuote } from '../format/text.js';
import { MaestroError } from '../../runtime/index.js';
import type { CommandContext } from '../session.js';
import { copyTemplate, listTemplates, type TemplateInfo } from '../template-files.js';

interface InitOptions {
  template: string;
  list?: boolean;
  force?: boolean;
}

export function addInitCommand({ program, bind }: Registry): void {
  program
    .command('init')
    .description('write a runnable starting point into a folder')
    .argument('[dir]', 'folder to write to; created when missing', '.')
    .option('-t, --template <name>', 'which starting point (see --list)', 'hello')
    .option('--list', 'list the templates instead')
    .option('--force', 'overwrite files that are in the way')
    .addHelpText(
      'after',
      examples('maestro init --list', 'maestro init my-flow', 'maestro init my-flow --template sdlc'),
    )
    .action(bind(init));
}

async function init(context: CommandContext, dir: string, options: InitOptions): Promise<number> {
  const templates = await listTemplates();
  if (options.list === true) return printTemplates(context, templates);
  const template = templates.find(({ name }) => name === options.template);
  if (template === undefined) {
    throw new MaestroError('USAGE', `there is no template ${JSON.stringify(options.template)}`, {
      next: `Choose one of: ${templates.map(({ name }) => name).join(', ')}.`,
    });
  }
  const { ui, terminal } = context;
  const target = resolve(terminal.cwd, dir);
  const written = await copyTemplate(template.name, target, { force: options.force === true });
  const files = written.map((file) => (isAbsolute(file) ? relative(target, file) : file));
  if (ui.json) {
    ui.document({ template: template.name, directory: target, files, run: template.run });
    return EXIT.success;
  }
  ui.print(`${ui.color.green('created')} ${template.title} in ${target}`);
  for (const file of files) ui.print(`  ${file}`);
  const steps = target === terminal.cwd ? [template.run] : [`cd ${shellQuote(dir)}`, template.run];
  ui.print(`\nNext:\n${steps.map((step) => `  ${ui.color.bold(step)}`).join('\n')}`);
  return EXIT.success;
}

function printTemplates({ ui }: CommandContext, templates: readonly TemplateInfo[]): number {
  if (ui.json) ui.document({ templates });
  else {
    const rows = templates.map(({ name, title, description }) => [
      ui.color.bold(name),
      title,
      ui.color.dim(description),
    ]);
    for (const line of formatTable(rows)) ui.print(line);
  }
  return EXIT.success;
}
