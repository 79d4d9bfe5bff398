// A stand-in for real phase executors: every phase reads what the phases before it decided, decides something of
// its own and writes a document. Replace `decide` by calls to people, tools or models; keep the shape.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const PHASES = {
  requirement_analysis: {
    title: 'Requirement analysis',
    decide: ({ requirement }) => [
      `The goal is: ${requirement}`,
      `Words to define with the users: ${keywords(requirement).join(', ') || 'none'}`,
      'Accepted when every keyword is covered by a test',
    ],
  },
  design: {
    title: 'Design',
    decide: ({ requirement }) => [
      ...keywords(requirement).map((word) => `A component for "${word}"`),
      'Backend and frontend meet in one HTTP interface',
    ],
  },
  backend_development: {
    title: 'Backend development',
    decide: ({ requirement }) => keywords(requirement).map((word) => `Endpoint /api/${word}`),
  },
  frontend_development: {
    title: 'Frontend development',
    decide: ({ requirement }) => keywords(requirement).map((word) => `View for "${word}"`),
  },
  testing: {
    title: 'Testing',
    decide: ({ earlier }) =>
      earlier.flatMap(({ title, decisions }) =>
        decisions.map((decision) => `Checked (${title}): ${decision}`),
      ),
  },
  review: {
    title: 'Review',
    decide: ({ earlier }) => [
      `Read ${earlier.length} document(s) with ${earlier.flatMap((phase) => phase.decisions).length} decisions`,
      'Approved',
    ],
  },
};

/** Config: `phase`. Context: `requirement`, `phase_seconds`. */
export async function executePhase(context) {
  const { phase } = context.nodeConfig;
  if (!Object.hasOwn(PHASES, phase)) {
    throw new Error(`unknown phase "${phase}": expected one of ${Object.keys(PHASES).join(', ')}`);
  }
  const requirement = requirementOf(context.globalContext);
  await work(context);
  const { title, decide } = PHASES[phase];
  const earlier = Object.values(context.dependencyOutputs);
  const decisions = decide({ requirement, earlier });
  const path = join(context.artifactDir(), `${phase}.md`);
  await writeFile(path, document(title, requirement, earlier, decisions));
  return { phase, title, decisions, based_on: earlier.map((other) => other.phase), artifacts: [path] };
}

function requirementOf({ requirement }) {
  if (typeof requirement !== 'string' || requirement.trim() === '' || requirement.length > 10_000) {
    throw new Error('context "requirement" must be a text of 1 to 10,000 characters');
  }
  return requirement.trim();
}

/** Takes its time in small pieces, so that progress shows and a cancelled phase ends at once. */
async function work(context) {
  const pieces = 10;
  const seconds = Number(context.globalContext.phase_seconds ?? 0.2);
  for (let piece = 0; piece < pieces; piece++) {
    await sleep((1000 * seconds) / pieces, undefined, { signal: context.signal });
    context.progress((piece + 1) / pieces);
  }
}

/** The longer words of a text, once each, in their order: at most five. */
function keywords(text) {
  const words = text.toLowerCase().match(/\p{L}{4,}/gu) ?? [];
  return [...new Set(words)].slice(0, 5);
}

function document(title, requirement, earlier, decisions) {
  const list = (items) => (items.length === 0 ? 'Nothing.' : items.map((item) => `- ${item}`).join('\n'));
  return `# ${title}

> ${requirement.replace(/\n/g, '\n> ')}

## Based on

${list(earlier.flatMap((phase) => phase.decisions.map((decision) => `${phase.title}: ${decision}`)))}

## Decided

${list(decisions)}
`;
}
