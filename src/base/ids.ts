import { v7 } from 'uuid';
import type { Clock } from './clock.js';
import type { Random } from './random.js';

/** A UUID version 7: unique, and in order of creation when sorted as text. */
export function newId(clock: Clock, random: Random): string {
  const bytes = new Uint8Array(16);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor(random() * 256);
  return v7({ msecs: clock.nowMs(), random: bytes });
}

/** What ids of workflows and executions look like: safe in keys, paths and URLs; no `/`, no leading dot. */
export const ID_PATTERN = /^[A-Za-z0-9_][A-Za-z0-9._:@+-]{0,254}$/;

const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype']);

/** Whether `id` is allowed for a workflow or an execution. */
export function isValidId(id: string): boolean {
  return ID_PATTERN.test(id) && !FORBIDDEN.has(id);
}

/** Whether `id` is allowed for a node: anything readable up to 255 characters that cannot poison an object. */
export function isValidNodeId(id: string): boolean {
  return id.length > 0 && id.length <= 255 && !FORBIDDEN.has(id) && !/[\u0000-\u001f\u007f]/.test(id);
}
