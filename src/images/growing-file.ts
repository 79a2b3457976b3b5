import {createHash} from 'node:crypto'
import {close, openSync, read} from 'node:fs'
import {Readable} from 'node:stream'
import {promisify} from 'node:util'
import {finishSha256, type Sha256} from '../host/digest.js'

const [readDescriptor, closeDescriptor] = [promisify(read), promisify(close)]

/** Few enough reads that their calls cost nothing; what is read ahead stays small. */
const READ_BYTES = 1 << 18

/**
 * A file that is being written, read from its start while it grows.
 *
 * The digest is made of the very bytes that were handed out: where a writer begins anew and writes others,
 * those that had been read before are what it is of, so that the two are found to differ.
 */
export class GrowingFile {
  /** Ends where the file does, fails as its writer does; how fast it is read holds nobody up. */
  readonly bytes: Readable
  readonly #fd: number
  readonly #hash = createHash('sha256')
  #offset = 0
  #sizeBytes = 0
  #state: {readonly kind: 'growing' | 'whole'} | {readonly kind: 'failed'; readonly error: Error} = {
    kind: 'growing',
  }
  #isWanted = false
  #reading: Promise<void> | undefined
  #closing: Promise<void> | undefined

  /** @throws {NodeJS.ErrnoException} */
  constructor(path: string) {
    this.#fd = openSync(path, 'r')
    this.bytes = new Readable({
      highWaterMark: READ_BYTES,
      read: () => {
        this.#isWanted = true
        this.#advance()
      },
    })
  }

  /** So many bytes lie there by now; fewer than before where the writer began anew. */
  grow(sizeBytes: number): void {
    this.#sizeBytes = sizeBytes
    this.#advance()
  }

  /** All of it lies there. */
  end(sizeBytes: number): void {
    this.#state = {kind: 'whole'}
    this.grow(sizeBytes)
  }

  /** There will be no more; the reader hears of it when it asks for what is missing. */
  fail(error: unknown): void {
    const reason = error instanceof Error ? error : new Error(String(error))
    this.#state = {kind: 'failed', error: reason}
    this.#advance()
  }

  /** The digest of what was handed out and, where a reader stopped early, of the rest; once it is whole. */
  async digest(): Promise<{sha256: Sha256; sizeBytes: number}> {
    if (this.#state.kind !== 'whole') throw new Error('the file still grows')
    this.bytes.destroy()
    await this.#reading
    while ((await this.#readOn()).length > 0) {}
    return {sha256: finishSha256(this.#hash.copy()), sizeBytes: this.#offset}
  }

  /** May be called at any time, and again. */
  close(): Promise<void> {
    this.bytes.destroy()
    const closeNow = () => closeDescriptor(this.#fd)
    // A read under way must not find the number in another file's hands.
    this.#closing ??= (this.#reading ?? Promise.resolve()).then(closeNow, closeNow)
    return this.#closing
  }

  #advance(): void {
    if (!this.#isWanted || this.#reading !== undefined || this.bytes.destroyed) return
    if (this.#state.kind === 'failed') this.bytes.destroy(this.#state.error)
    else if (this.#offset < this.#sizeBytes) this.#reading = this.#handOut()
    else if (this.#state.kind === 'whole') this.bytes.push(null)
  }

  async #handOut(): Promise<void> {
    const claimed = this.#sizeBytes
    try {
      const chunk = await this.#readOn()
      this.#reading = undefined
      if (this.bytes.destroyed) return
      if (chunk.length > 0) {
        this.#isWanted = false
        this.bytes.push(chunk)
      } else if (this.#sizeBytes === claimed) {
        // It was cut off below what had been read; `grow` tells of what is written anew.
        this.#sizeBytes = this.#offset
      }
      this.#advance()
    } catch (error) {
      this.#reading = undefined
      this.fail(error)
    }
  }

  async #readOn(): Promise<Buffer> {
    const length = Math.min(READ_BYTES, this.#sizeBytes - this.#offset)
    if (length <= 0) return Buffer.alloc(0)
    const buffer = Buffer.allocUnsafe(length)
    const {bytesRead} = await readDescriptor(this.#fd, buffer, 0, length, this.#offset)
    const chunk = buffer.subarray(0, bytesRead)
    this.#hash.update(chunk)
    this.#offset += bytesRead
    return chunk
  }
}
