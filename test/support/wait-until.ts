import {setTimeout as sleep} from 'node:timers/promises'

/**
 * Looks again and again until `probe` gives something.
 *
 * @returns What it gave: anything but undefined and false.
 * @throws {Error} Naming `what` when it has not after a minute: a busy machine is slow.
 */
export async function waitUntil<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const deadline = Date.now() + 60_000
  for (;;) {
    const found = await probe()
    if (found !== undefined && found !== false) return found
    if (Date.now() > deadline) throw new Error(`waited a minute for this: ${what}`)
    await sleep(20)
  }
}
