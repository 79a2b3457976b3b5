import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {mkdir, open, readFile, rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'
import {lockHolders} from '../../../src/host/flock.js'
import {capture} from '../../../src/host/process.js'
import {readHistory} from '../../../src/storage/history-file.js'
import {newLayerId} from '../../../src/storage/layer-id.js'
import {startGroup} from '../../support/process-group.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {creation, givenEnvironment} from '../../support/store-at-rest.js'
import {makeOld} from '../../support/store-state.js'
import {waitUntil} from '../../support/wait-until.js'

/** Longer than a rename takes that waits for nobody. */
const RENAMED_MS = 2000

test('an environment that is renamed while leftovers are looked for keeps its layers', async (t) => {
  const cli = await givenEnvironment(t, 'play')
  // Whoever looks through the histories stops at this one, which is read before that of play.
  const [slow, folder] = [join(cli.store, 'a', 'history.json'), join(cli.data, 'layers')]
  await mkdir(join(cli.store, 'a'))
  assert.equal((await capture(['mkfifo', slow])).status, 0)
  const history = (await readFile(join(cli.store, 'play', 'history.json'), 'utf8')).replaceAll(
    /e[0-9a-f]{31}/g,
    () => newLayerId('emulated'),
  )
  await mkdir(join(folder, '.removed.emulated.0123abcd'))
  makeOld(cli.data)

  const sweeping = startGroup(cli, await creation(t, 'third'))
  // A first look, for which no lock is taken.
  await writeFile(slow, history)
  await waitUntil('the end of that', async () => (await lockHolders(slow)).length === 0)
  const looking = await open(slow, 'w')
  const renaming = startGroup(cli, ['rename', 'play', 'renamed'])
  await Promise.race([renaming.ended, sleep(RENAMED_MS)])
  await rm(join(cli.store, 'a'), {recursive: true})
  await looking.writeFile(history)
  await looking.close()

  for (const {status, stderr} of [await sweeping.ended, await renaming.ended]) assert.equal(status, 0, stderr)
  const {layers, upper} = await readHistory(join(cli.store, 'renamed', 'history.json'))
  assert.deepEqual(
    [...layers, upper].filter((id) => !existsSync(join(folder, id))),
    [],
  )
})
