import { dirname } from 'node:path';

/*
 * What is on a disk after its power was cut, given what processes did to files until then.
 *
 * - A write is there when a sync of its file that began after it had ended is over, or the file was opened to be written
 *   through (O_DSYNC) and the write is over.
 * - Of any other write each sector may be there or not, whatever came before or after it.
 * - A name (of a file that was made, moved or removed) is there when its folder was synced after that. Of the others the first
 *   so many are: file systems write names in a journal.
 */

/** What a disk writes as a whole. */
const SECTOR_BYTES = 512;

/** All that was done to the files under a folder. */
export class Disk {
  /** By path, as the processes see them now. */
  #names = new Map();
  #folderChanges = [];
  #folderSyncs = [];
  /** By descriptor and path. */
  #open = new Map();
  /** Lines at which something happened. */
  moments = [];

  /**
   * @param files what is there at the beginning, on disk: contents by path; of a folder: null
   * @param calls of `readTrace`
   */
  constructor(files, calls) {
    for (const [path, bytes] of files) this.#names.set(path, newFile(bytes, bytes));
    this.initial = new Map(this.#names);
    for (const call of calls) this.#take(call);
  }

  #take(call) {
    const { kind, path, begin, end } = call;
    this.moments.push(begin);
    if (end !== Infinity) this.moments.push(end);
    switch (kind) {
      case 'open':
        return this.#opened(call);
      case 'seek': {
        const how = this.#open.get(`${call.descriptor} ${path}`);
        if (how !== undefined) how.at = call.at;
        return;
      }
      case 'write':
        return this.#written(call);
      case 'truncate':
        return void this.#names.get(path)?.changes.push({ begin, end, bytes: call.bytes });
      case 'sync':
        if (this.#names.get(path)?.isFolder === false) this.#names.get(path).syncs.push(call);
        else this.#folderSyncs.push(call);
        return;
      case 'mkdir':
        return this.#change({ begin, end, path, file: newFile(null) });
      case 'rename':
        this.#change({ begin, end, path: call.to, file: this.#names.get(path), was: path });
        return;
      case 'link':
        return this.#change({ begin, end, path: call.to, file: this.#names.get(path) });
      case 'unlink':
        return this.#change({ begin, end, path, file: undefined });
    }
  }

  #opened({ path, flags, descriptor, begin, end }) {
    if (flags.has('O_DIRECTORY') || this.#names.get(path)?.isFolder === true) return;
    if (!this.#names.has(path)) {
      if (!flags.has('O_CREAT')) return;
      this.#change({ begin, end, path, file: newFile(Buffer.alloc(0)) });
    } else if (flags.has('O_TRUNC')) this.#names.get(path).changes.push({ begin, end, bytes: 0 });
    const isThrough = flags.has('O_DSYNC') || flags.has('O_SYNC');
    this.#open.set(`${descriptor} ${path}`, { isThrough, appends: flags.has('O_APPEND'), at: 0 });
  }

  #written({ path, descriptor, data, at, begin, end }) {
    const file = this.#names.get(path);
    if (file === undefined) return;
    const how = this.#open.get(`${descriptor} ${path}`) ?? { isThrough: false, appends: true, at: 0 };
    let offset = at;
    if (offset === undefined) {
      offset = how.appends ? file.length : how.at;
      how.at = offset + data.length;
    }
    file.length = Math.max(file.length, offset + data.length);
    file.changes.push({ begin, end, path, data, offset, isThrough: how.isThrough });
  }

  #change(change) {
    this.#folderChanges.push(change);
    if (change.was !== undefined) {
      this.#names.delete(change.was);
      // Who has it open writes on, under its new name.
      for (const [key, how] of [...this.#open])
        if (key.endsWith(` ${change.was}`)) this.#open.set(key.replace(change.was, change.path), how);
    }
    if (change.file === undefined) this.#names.delete(change.path);
    else this.#names.set(change.path, change.file);
  }

  /** Contents by path as the processes saw them at the end. */
  get seen() {
    return new Map([...this.#names].map(([path, file]) => [path, contentOf(file, () => true)]));
  }

  /**
   * Contents by path after the power was cut at that moment.
   * @param luck how likely it is that a sector is there that need not be
   * @param lies of which files the disk says that it has written what it has not
   */
  after(moment, { random, luck, lies = () => false }) {
    const isOver = ({ end, path }) => end <= moment && !lies(path);
    const names = new Map(this.initial);
    const changes = this.#folderChanges.filter(({ begin }) => begin <= moment);
    const isSynced = (change) => this.#folderSyncs.some((sync) => isOver(sync) && covers(sync, change));
    const needed = changes.findLastIndex(isSynced) + 1;
    const there = needed + Math.floor(random() * (changes.length - needed + 1));
    for (const { path, was, file } of changes.slice(0, there)) {
      if (was !== undefined) names.delete(was);
      if (file === undefined) names.delete(path);
      else names.set(path, file);
    }
    const pick = (file) => (change) => {
      if (change.begin > moment) return false;
      if (change.isThrough && isOver(change)) return true;
      if (file.syncs.some((sync) => isOver(sync) && change.end <= sync.begin)) return true;
      return change.data === undefined ? random() < luck : () => random() < luck;
    };
    return new Map([...names].map(([path, file]) => [path, contentOf(file, pick(file))]));
  }
}

/** Whether a sync of a folder makes a change of its names last; that of a moved file counts in both folders. */
function covers({ path: folder, begin }, { end, path, was }) {
  return end <= begin && (dirname(path) === folder || (was !== undefined && dirname(was) === folder));
}

function newFile(bytes, onDisk = bytes === null ? null : Buffer.alloc(0)) {
  return { isFolder: bytes === null, onDisk, length: bytes?.length ?? 0, changes: [], syncs: [] };
}

/** @param pick whether a change is there; for a write also a function that says so of each of its sectors */
function contentOf({ isFolder, onDisk, changes }, pick) {
  if (isFolder) return null;
  const image = { bytes: Buffer.from(onDisk), length: onDisk.length };
  for (const change of changes) {
    const picked = pick(change);
    if (picked === false) continue;
    if (change.data === undefined) resize(image, change.bytes);
    else write(image, change, picked);
  }
  return image.bytes.subarray(0, image.length);
}

function write(image, { data, offset }, picked) {
  for (let from = offset; from < offset + data.length;) {
    const to = Math.min(offset + data.length, from - (from % SECTOR_BYTES) + SECTOR_BYTES);
    if (picked === true || picked()) {
      if (to > image.length) resize(image, to);
      data.copy(image.bytes, from, from - offset, to - offset);
    }
    from = to;
  }
}

function resize(image, length) {
  if (length > image.bytes.length) {
    const larger = Buffer.alloc(2 * length);
    image.bytes.copy(larger, 0, 0, image.length);
    image.bytes = larger;
  } else if (length > image.length) image.bytes.fill(0, image.length, length);
  image.length = length;
}
