/** Long enough that a whole index is in thirty of them. */
const CHUNK_BYTES = 1024 * 1024

/** Where a line lies, and the key it is ordered by. */
type Stored = {readonly key: string; readonly chunk: Buffer; readonly start: number; readonly end: number}

/** Takes lines in any order and gives them in that of their keys. They are held as bytes: as texts they would take thrice that. */
export class LineStore {
  readonly #stored: Stored[] = []
  #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  #used = 0
  #bytes = 0

  /** @param line - A byte string (latin1) that begins with the key and a tab. */
  add(key: string, line: string): void {
    const length = line.length + 1
    if (this.#used + length > this.#chunk.length) {
      this.#chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, length))
      this.#used = 0
    }
    const start = this.#used
    this.#used += this.#chunk.write(line, start, 'latin1')
    this.#chunk[this.#used++] = 0x0a
    this.#stored.push({key, chunk: this.#chunk, start, end: this.#used})
    this.#bytes += length
  }

  get sizeBytes(): number {
    return this.#bytes
  }

  /** Writes all lines into `target` from `at` on. @returns Where they end. */
  writeSorted(target: Buffer, at: number): number {
    let end = at
    this.#stored.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    for (const line of this.#stored) end += line.chunk.copy(target, end, line.start, line.end)
    return end
  }
}
