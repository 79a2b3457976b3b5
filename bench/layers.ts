import type {Contender, Group} from './measure.js'
import type {Product} from './product.js'
import {fixed} from './startup.js'

/** Changes in an environment, whose size copy-on-write should make irrelevant. */
export type Written = {
  readonly title: string
  /** For the guest's shell: writes the changes before the measurements. */
  readonly script: string
}

export const SMALL: Written = {
  title: 'some 80 MB',
  script: 'cp -a /usr/share /root/share && cp -a /usr/lib /root/lib',
}

/** As in real trees: a few large files, many small ones. */
export const LARGE: Written = {
  title: '1 GB in 40,400 files',
  script: `
mkdir /root/large && cd /root/large
head -c 2000000 /dev/urandom >pattern
folder=0
while [ $folder -lt 100 ]; do
  mkdir $folder
  head -c 1600000 pattern | split -b 4000 -a 3 - $folder/small-
  for part in 1 2 3 4; do head -c 2000000 pattern >$folder/large-$part; done
  folder=$((folder + 1))
done`,
}

/**
 * Compares commands that use copy-on-write with Node's own start: each invocation is one command of envs.
 *
 * Makes environments in the product's store; the caller clears it.
 *
 * @throws {InvocationFailedError} If layers are not available here.
 */
export async function layersGroup(
  rootfs: string,
  {product, written}: {product: Product; written: Written},
): Promise<Group> {
  const create = ['create', rootfs, '--storage', 'overlay', '--quiet']
  await product.run(...create, '--name', 'base')
  await product.run('run', 'base', '--', 'sh', '-ec', written.script)
  await product.run('stop', 'base')
  await product.run('snapshot', 'base', 'kept')
  return {
    title: `Copy-on-write, an environment that wrote ${written.title}`,
    compared:
      'One command of envs each, beside the start of Node alone; what it made is taken back, untimed.',
    reference: 'node -e 0',
    contenders: [
      fixed('node -e 0', 'peer', {argv: [process.execPath, '-e', '0']}),
      undone(
        product,
        'envs create, its image in the store',
        [...create, '--name', 'made'],
        ['rm', '--now', 'made'],
      ),
      undone(product, 'envs clone', ['clone', 'base', 'copy', '--quiet'], ['rm', '--now', 'copy']),
      undone(product, 'envs snapshot', ['snapshot', 'base', 'now'], ['snapshots', 'base', '--remove', 'now']),
      fixed('envs restore', 'ours', product.call('restore', 'base', 'kept', '--quiet')),
      fixed('envs diff', 'ours', product.call('diff', 'base')),
    ],
    absent: [],
  }
}

/** Pairs an invocation with one that removes its result. */
export function undone(
  product: Product,
  name: string,
  call: readonly string[],
  takeBack: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Contender {
  const {argv, variables} = product.call(...call)
  return {
    name,
    side: 'ours',
    prepare: () => ({argv, variables: {...variables, ...environment}}),
    async tidy() {
      await product.run(...takeBack)
    },
  }
}
