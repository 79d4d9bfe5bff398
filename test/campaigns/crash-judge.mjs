import { isDeepStrictEqual } from 'node:util';
import { expectedOutputs } from './crash-workload.mjs';

/** What the lives of one case have told so far, checked as it comes; `objections` is empty while all is well. */
export class Judge {
  objections = [];
  completions = 0;
  /** Completions told, `execution node` → life. */
  doneIn = new Map();
  /** Requests and ends told, `what execution` → life. */
  toldIn = new Map();
  deleting = new Set();
  documents = null;
  #ends = new Map();

  constructor(executions) {
    this.executions = new Map(executions.map((each) => [each.id, each]));
  }

  /** A whole line that a life wrote. */
  take(line, life) {
    const [word, id, rest] = line.split(' ', 3);
    if (word === 'done') {
      const key = `${id} ${rest}`;
      if (this.doneIn.has(key)) this.object(`the completion of ${key} was told twice`);
      this.doneIn.set(key, life);
      this.completions++;
    } else if (word === 'known') this.takeKnown(JSON.parse(line.slice('known '.length)));
    else if (word === 'ended') {
      const before = this.#ends.get(id) ?? rest;
      if (before !== rest) this.object(`${id} was told to have ended ${before}, and later ${rest}`);
      this.#ends.set(id, rest);
    } else if (word === 'documents') this.documents = JSON.parse(line.slice('documents '.length));
    else if (word === 'deleting') this.deleting.add(id);
    if (['started', 'cancelled', 'deleted'].includes(word)) this.toldIn.set(`${word} ${id}`, life);
  }

  /** What a life found in the store against what earlier ones had acknowledged. */
  takeKnown(known) {
    for (const key of this.toldIn.keys()) {
      const [word, id] = key.split(' ');
      if (word === 'started' && !this.deleting.has(id) && known[id] === undefined)
        this.object(`${id} was told to have started, and is gone`);
      if (word === 'cancelled' && !['cancelled', 'failed', 'completed'].includes(known[id]))
        this.object(`${id} was told to be cancelled, and is ${known[id]}`);
      if (word === 'deleted' && known[id] !== undefined)
        this.object(`${id} was told to be deleted, and is there`);
    }
    for (const [id, status] of this.#ends)
      if (!this.deleting.has(id) && known[id] !== status)
        this.object(`${id} was told to have ended ${status}, and is ${known[id]}`);
  }

  /** Everything is over: the witness file and the last documents. */
  conclude(witness) {
    this.#judgeWitness(witness);
    const { documents, damage } = this.documents;
    for (const { execution_id: id, problem } of damage) this.object(`verify: ${id}: ${problem}`);
    for (const { id, nodes, cancelAfter, deleted } of this.executions.values()) {
      const document = documents[id];
      if (deleted) {
        if (document !== undefined) this.object(`${id} is still there`);
      } else if (document === undefined) this.object(`${id} is gone`);
      else
        this.#judgeDocument(
          id,
          nodes,
          document,
          cancelAfter === undefined ? ['completed'] : ['completed', 'cancelled'],
        );
    }
  }

  #judgeDocument(id, nodes, { status, outputs, attempts, files }, allowed) {
    if (!allowed.includes(status)) this.object(`${id} ended ${status}`);
    const expected = expectedOutputs(nodes);
    for (const { id: node, config } of nodes) {
      const wasTold = this.doneIn.has(`${id} ${node}`);
      if (outputs[node] === undefined) {
        if (wasTold || status === 'completed') this.object(`${id} lost the output of ${node}`);
        continue;
      }
      if (!isDeepStrictEqual(outputs[node], expected[node]))
        this.object(
          `${id} has ${JSON.stringify(outputs[node])} of ${node}, not ${JSON.stringify(expected[node])}`,
        );
      if (config.file !== undefined && files[node] !== 'ok')
        this.object(`${id} has a file of ${node} that is ${files[node] ?? 'not there'}`);
      const wanted = config.failsFirst ? 2 : 1;
      if (attempts[node] !== wanted)
        this.object(`${id} took ${attempts[node]} attempts for ${node}, not ${wanted}`);
    }
  }

  /** Order of dependencies, no node again after it was told, none twice in a life. */
  #judgeWitness(witness) {
    const seen = new Set();
    const begun = new Map();
    for (const line of witness.split('\n').filter((each) => each !== '')) {
      const [lifeText, id, node] = line.split(' ');
      const life = Number(lifeText);
      const spec = this.executions.get(id)?.nodes[Number(node?.slice(1))];
      if (spec === undefined) {
        this.object(`an unknown line in the witness file: ${line}`);
        continue;
      }
      for (const dependency of spec.dependencies)
        if (!seen.has(`${id} ${dependency}`)) this.object(`${id} ${node} ran before ${dependency}`);
      seen.add(`${id} ${node}`);
      const doneIn = this.doneIn.get(`${id} ${node}`);
      if (doneIn !== undefined && life > doneIn)
        this.object(`${id} ${node} ran in life ${life}, told in ${doneIn}`);
      const cancelledIn = this.toldIn.get(`cancelled ${id}`);
      if (cancelledIn !== undefined && life > cancelledIn)
        this.object(`${id} ${node} ran in life ${life}, cancelled in ${cancelledIn}`);
      const times = (begun.get(line) ?? 0) + 1;
      begun.set(line, times);
      if (times > (spec.config.failsFirst ? 2 : 1))
        this.object(`${id} ${node} ran ${times} times in life ${life}`);
    }
  }

  object(text) {
    this.objections.push(text);
  }
}
