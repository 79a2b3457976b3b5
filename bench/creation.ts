import type {Bench} from './invocation.js'
import {keepImage} from './kept-image.js'
import {undone} from './layers.js'
import type {Group} from './measure.js'
import type {Product} from './product.js'
import {fixed} from './startup.js'

/**
 * `envs create` of an image that is in the store and has been made a layer of, beside Node's own start: by its file, by its
 * name within the day that it was asked for, by its name while its publisher is asked, and while nobody answers.
 *
 * @returns The group, and how to end the publisher's server.
 * @throws {InvocationFailedError} When layers can't be had here.
 */
export async function creationGroup(
  rootfs: string,
  {product, bench}: {product: Product; bench: Bench},
): Promise<{group: Group; close: () => Promise<void>}> {
  // Its layer, for all of them: the name stands for the same archive.
  await product.run('create', rootfs, '--storage', 'overlay', '--quiet', '--name', 'first')
  const {name, variables, close} = await keepImage(rootfs, {product, bench})
  const made = ['--storage', 'overlay', '--quiet', '--name', 'made'] as const
  const create = (title: string, image: string, environment: Readonly<Record<string, string>>) =>
    undone(product, title, ['create', image, ...made], ['rm', 'made'], environment)
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

/** A port that refuses. */
const NOWHERE = 'http://127.0.0.1:1'
