import { answerParent } from '../child.js';
import { makespans } from './makespan-probe.js';
import { pendingMemory } from './memory-probe.js';
import { interruptLarge, interruptMany, recoverLarge, recoverMany } from './recovery-probes.js';
import { fillStore, useStore } from './store-probes.js';
import type { Probe } from './types.js';

answerParent((probe: Probe): Promise<unknown> => {
  switch (probe.kind) {
    case 'pending-memory':
      return pendingMemory(probe);
    case 'fill-store':
      return fillStore(probe);
    case 'use-store':
      return useStore(probe);
    case 'interrupt-many':
      return interruptMany(probe);
    case 'recover-many':
      return recoverMany(probe);
    case 'interrupt-large':
      return interruptLarge(probe);
    case 'recover-large':
      return recoverLarge(probe);
    case 'makespans':
      return makespans(probe);
  }
});
