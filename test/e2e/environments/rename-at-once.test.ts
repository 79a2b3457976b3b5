import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {mkdir, readFile, rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {isLockFree} from '../../../src/host/locks.js'
import {readHistory} from '../../../src/store/history.js'
import {newLayerId} from '../../../src/store/layers.js'
import type {EnvironmentCli} from '../../support/environment-cli.js'
import {isWaiting, startGroup} from '../../support/process-group.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {creation, givenEnvironment} from '../../support/store-at-rest.js'
import {makeOld} from '../../support/store-state.js'
import {waitUntil} from '../../support/wait-until.js'

const OPENED_MS = 3000

test('an environment that is renamed while leftovers are looked for keeps its layers', async (t) => {
  const cli = await givenEnvironment(t, 'play')
  // Whoever looks through the histories takes a while to open this one, which is read before that of play.
  const [slow, folder] = [join(cli.store, 'a', 'history.json'), join(cli.data, 'layers')]
  await mkdir(join(cli.store, 'a'))
  const history = (await readFile(join(cli.store, 'play', 'history.json'), 'utf8')).replaceAll(
    /e[0-9a-f]{31}/g,
    () => newLayerId('emulated'),
  )
  await writeFile(slow, history)
  await mkdir(join(folder, '.removed.emulated.0123abcd'))
  makeOld(cli.data)

  const sweeping = await sweep(cli, slow, await creation(t, 'third'))
  const renaming = startGroup(cli, ['rename', 'play', 'renamed'])
  let hasEnded = false
  const renamed = renaming.ended.finally(() => {
    hasEnded = true
  })
  await waitUntil('the rename is done or waits', async () => hasEnded || (await isWaiting(renaming.pid)))
  await rm(join(cli.store, 'a'), {recursive: true})

  for (const {status, stderr} of [await sweeping, await renamed]) assert.equal(status, 0, stderr)
  const {layers, upper} = await readHistory(join(cli.store, 'renamed', 'history.json'))
  assert.deepEqual(
    [...layers, upper].filter((id) => !existsSync(join(folder, id))),
    [],
  )
})

/**
 * Starts commands one after the other until one looks for leftovers: none does while a layer is in the making, its own among them.
 *
 * @returns Its end, while it looks.
 */
async function sweep(cli: EnvironmentCli, slow: string, [verb = '', ...words]: readonly string[]) {
  const lock = join(cli.data, 'locks', '.layers.lock')
  for (let turn = 0; ; turn++) {
    const command = [verb, ...words.map((word) => (word === 'third' ? `third-${turn}` : word))]
    const started = startGroup(cli, command, {}, [
      ...['strace', '-f', '-qq', '-o', '/dev/null', '-P', slow, '-e', 'trace=openat'],
      ...['-e', `inject=openat:delay_exit=${OPENED_MS * 1000}`],
    ])
    let hasEnded = false
    const ended = started.ended.finally(() => {
      hasEnded = true
    })
    // A first look takes no lock; the one that counts does.
    const isLooking = async () => existsSync(lock) && !(await isLockFree(lock))
    const result = await waitUntil('a look for leftovers, or the end', async () =>
      (await isLooking()) ? 'looks' : hasEnded && 'ended',
    )
    if (result === 'looks') return ended
    assert.equal((await ended).status, 0)
  }
}
