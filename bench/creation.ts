import type {Bench} from './invocation.js'
import {keepImage} from './kept-image.js'
import {undone} from './layers.js'
import type {Group} from './measure.js'
import type {Product} from './product.js'
import {fixed} from './startup.js'

/**
 * Compares `envs create` of a cached image, whose layer exists, with Node's own start: by file; by name
 * within the day of the last question; by name with a question to the publisher; and without an answer.
 *
 * @returns The group, and a function that ends the publisher's server.
 * @throws {InvocationFailedError} If layers are not available here.
 */
export async function creationGroup(
  rootfs: string,
  {product, bench}: {product: Product; bench: Bench},
): Promise<{group: Group; close: () => Promise<void>}> {
  // One layer for all: the name stands for the same tarball.
  await product.run('create', rootfs, '--storage', 'overlay', '--quiet', '--name', 'first')
  const {name, variables, close} = await keepImage(rootfs, {product, bench})
  const made = ['--storage', 'overlay', '--quiet', '--name', 'made'] as const
  const create = (title: string, image: string, environment: Readonly<Record<string, string>>) =>
    undone(product, title, ['create', image, ...made], ['rm', '--now', 'made'], environment)
  const group = {
    title: 'An environment of an image in the store',
    compared:
      'One envs create each, removed again untimed; the publisher is a server of this machine that has nothing new.',
    reference: 'node -e 0',
    contenders: [
      fixed('node -e 0', 'peer', {argv: [process.execPath, '-e', '0']}),
      create('envs create FILE', rootfs, {}),
      create('envs create NAME, asked for today', name, variables),
      create('envs create NAME, its publisher asked', name, {...variables, ENVS_IMAGE_CHECK: 'always'}),
      create('envs create NAME, nobody answers', name, {...variables, ENVS_MIRROR_UBUNTU_BASE: NOWHERE}),
    ],
    absent: [],
  }
  return {group, close}
}

/** A port that refuses connections. */
const NOWHERE = 'http://127.0.0.1:1'
