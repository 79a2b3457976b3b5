import type {Contender, Group} from './measure.js'
import type {Product} from './product.js'
import {fixed} from './startup.js'

/** What is done to the environment before it is copied and taken back, so that there is something to keep. */
const WRITE = 'cp -a /usr/share /root/share && cp -a /usr/lib /root/lib'

/**
 * What copy-on-write makes quick, beside Node's own start: each call is one command of envs.
 *
 * Makes environments in the product's store; to be cleared by the caller.
 *
 * @throws {InvocationFailedError} When layers can't be had here.
 */
export async function layersGroup(rootfs: string, {product}: {product: Product}): Promise<Group> {
  const create = ['create', rootfs, '--storage', 'overlay', '--quiet']
  await product.run(...create, '--name', 'base')
  await product.run('run', 'base', '--', 'sh', '-c', WRITE)
  await product.run('stop', 'base')
  await product.run('snapshot', 'base', 'kept')
  return {
    title: 'Copy-on-write, an environment that wrote some 80 MB',
    reference: 'node -e 0',
    contenders: [
      fixed('node -e 0', 'peer', {argv: [process.execPath, '-e', '0']}),
      undone(product, 'envs create, its image in the store', [...create, '--name', 'made'], ['rm', 'made']),
      undone(product, 'envs clone', ['clone', 'base', 'copy', '--quiet'], ['rm', 'copy']),
      undone(product, 'envs snapshot', ['snapshot', 'base', 'now'], ['snapshots', 'base', '--remove', 'now']),
      fixed('envs restore', 'ours', product.call('restore', 'base', 'kept', '--quiet')),
      fixed('envs diff', 'ours', product.call('diff', 'base')),
    ],
    absent: [],
  }
}

/** A call, and the one that takes back what it made. */
function undone(
  product: Product,
  name: string,
  call: readonly string[],
  takeBack: readonly string[],
): Contender {
  return {
    name,
    side: 'ours',
    prepare: () => product.call(...call),
    async tidy() {
      await product.run(...takeBack)
    },
  }
}
