import {capture} from './process.js'

/** Puts on the disk what the file system of a folder has not written yet. @see sync(1) -f, syncfs(2) */
export async function syncFileSystem(folder: string): Promise<void> {
  await capture(['sync', '-f', folder])
}

/** Little enough for a disk to take while the next is made, and so much that few programs are started for it. */
const STEP_BYTES = 64 * 2 ** 20

/**
 * The same ahead of time, for what is changed but a little until it is synced at last.
 *
 * @param bytes - What was written; for little it is not worth a program.
 */
export async function syncAhead(folder: string, bytes: number): Promise<void> {
  // Whoever needs it on the disk syncs at the end, and sees then what is wrong.
  if (bytes >= STEP_BYTES) await syncFileSystem(folder).catch(() => {})
}

/** Has what is written bit by bit put on the disk meanwhile, so that the sync at the end has little left to wait for. */
export class WriteBehind {
  #begunAtBytes = 0
  #running: Promise<void> | undefined

  constructor(private readonly folder: string) {}

  /** @param bytes - All that was written until now. */
  note(bytes: number): void {
    if (this.#running !== undefined || bytes - this.#begunAtBytes < STEP_BYTES) return
    this.#begunAtBytes = bytes
    this.#running = syncAhead(this.folder, STEP_BYTES).finally(() => {
      this.#running = undefined
    })
  }
}
