import {join} from 'node:path'
import type {Bench} from './invocation.js'
import type {Group} from './measure.js'
import {openProduct, type Product} from './product.js'
import {fixed} from './startup.js'

const MANY = {usual: 200, quick: 20}
const AT_ONCE = 2

/**
 * Compares `envs list` of a store with one environment, and of one with many; all of one image.
 *
 * @returns The group, and a function that removes the stores.
 * @throws {InvocationFailedError} If no environment can be made here.
 */
export async function listingGroup(
  rootfs: string,
  {bench, isQuick}: {bench: Bench; isQuick: boolean},
): Promise<{group: Group; close: () => Promise<void>}> {
  const few = openProduct(bench, join(bench.folder, 'listing-few'))
  const many = openProduct(bench, join(bench.folder, 'listing-many'))
  const count = isQuick ? MANY.quick : MANY.usual
  const close = async () => {
    await few.clear()
    await many.clear()
  }
  try {
    await fill(few, 1, rootfs)
    await fill(many, count, rootfs)
  } catch (error) {
    await close()
    throw error
  }
  const reference = 'envs list, one environment'
  return {
    group: {
      title: `Listing ${count} environments`,
      compared: 'One call of envs list each, in stores that differ in how many environments they have.',
      reference,
      contenders: [
        fixed(reference, 'ours', few.front('list')),
        fixed(`envs list, ${count} environments`, 'ours', many.front('list')),
        fixed(`envs list --quiet, ${count} environments`, 'ours', many.front('list', '--quiet')),
      ],
      absent: [],
    },
    close,
  }
}

/** The first one alone, because it unpacks the image. */
async function fill(product: Product, count: number, rootfs: string): Promise<void> {
  const names = Array.from({length: count}, (_, index) => `listed-${index}`)
  // With layers, because so many trees would fill the disk.
  const create = ['create', rootfs, '--storage', 'overlay', '--quiet', '--name']
  const make = (name: string) => product.run(...create, name)
  const [first, ...others] = names
  if (first !== undefined) await make(first)
  for (let start = 0; start < others.length; start += AT_ONCE) {
    await Promise.all(others.slice(start, start + AT_ONCE).map(make))
  }
}
