import type {BigIntStats} from 'node:fs'
import {join} from 'node:path'
import type {Sha256} from '../host/digest.js'
import {sha256Field} from '../host/records.js'
import {openMemory} from '../host/remembered.js'

/** What tells that a file has not been written to: nobody but the kernel sets its ctime. */
export type FileFacts = Pick<BigIntStats, 'dev' | 'ino' | 'size' | 'mtimeNs' | 'ctimeNs'>

/** Digests of files that were read once, by what the kernel says of the files. */
export type DigestMemory = {
  /** @returns undefined for a file that was never read, or may have been written to since. */
  recall(facts: FileFacts): Sha256 | undefined
  /** @param readAt - When the reading of the file began. */
  remember(facts: FileFacts, sha256: Sha256, readAt: Date): Promise<void>
}

/** The files of a person who makes environments of more than these are read anew. */
const MOST_ENTRIES = 50

/**
 * A file that is written to twice within one tick of the kernel's clock has the same times after both; none is as long,
 * and the clocks of file servers differ by less.
 */
const SETTLED_AFTER_MS = 5000

/**
 * Spares reading an archive of a hundred megabytes again to make one more environment of it.
 *
 * The memory lies in the user's own cache folder, is taken from nobody else's file, and says nothing of a file whose
 * device, inode, size, mtime or ctime is another: whoever can deceive it can change the user's environments themselves.
 */
export function openDigestMemory(cacheFolder: string): DigestMemory {
  const memory = openMemory(join(cacheFolder, 'digests.json'), {schema: sha256Field, most: MOST_ENTRIES})
  return {
    recall: (facts) => memory.recall(keyOfFile(facts)),
    async remember(facts, sha256, readAt) {
      const changedAtMs = Number(facts.ctimeNs / 1_000_000n)
      if (readAt.getTime() - changedAtMs >= SETTLED_AFTER_MS) await memory.remember(keyOfFile(facts), sha256)
    },
  }
}

function keyOfFile({dev, ino, size, mtimeNs, ctimeNs}: FileFacts): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ')
}
