import assert from 'node:assert/strict'
import {mkdtemp, rm} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {type EnvironmentCli, environmentCli} from '../../support/environment-cli.js'
import {runnableRootfs} from '../../support/runnable-rootfs.js'
import {noOverlays} from '../../support/stacked-layers.js'
import {done} from '../../support/store-at-rest.js'
import {storeState} from '../../support/store-state.js'

/** A folder of this user on a disk with a quota of some 40 MB. */
const FOLDER = process.env['ENVS_TEST_QUOTA']
/** Why this machine can have none. */
const MISSING = process.env['ENVS_TEST_NO_QUOTA']
const skip =
  FOLDER === undefined ? 'ENVS_TEST_QUOTA names no folder: as root, .ci/quota-disk makes one' : noOverlays

/** Writes a file until the quota is used up. */
const FILL = 'text=$(printf %065536d 0); while echo "$text"; do :; done >/root/big'

if (MISSING === undefined)
  test('with a used-up quota one can enter, delete, undo, prune and remove', {skip}, async (t) => {
    const cli = await givenPlay(t)
    const inside = (script: string) => cli.run('run', 'play', '--', 'sh', '-c', script)
    const stop = () => done(cli, 'stop', '-f', 'play')
    const word = async () => (await inside('read word </root/word; echo "$word"')).stdout
    await inside('echo old >/root/word')
    await stop()
    await inside(`echo new >/root/word; ${FILL}`)
    const full = await inside('echo text >/root/more')
    assert.match(full.stderr, /Disk quota exceeded/)
    await stop()

    for (const argv of [
      ['create', join(cli.home, 'runnable.tar.gz'), '-n', 'other', '--storage', 'directory'],
      ['clone', 'play', 'other'],
    ]) {
      const {status, stdout} = await cli.run(...argv, '--json')
      assert.deepEqual([status, JSON.parse(stdout).error?.code], [8, 'ENVS_NO_SPACE'])
    }
    assert.equal(await word(), 'new\n')
    await stop()
    await done(cli, 'undo', 'play')
    assert.equal(await word(), 'old\n')
    await stop()
    await done(cli, 'doctor', '--check')
    await done(cli, 'rm', 'play')
    await done(cli, 'recover', 'play')
    await done(cli, 'prune', '--yes', '--older-than', '0')
    const freed = await inside('echo text >/root/more && read word </root/more && echo "$word"')
    assert.deepEqual([freed.stdout, freed.stderr], ['text\n', ''])

    await inside(FILL)
    await inside(': >/root/big && echo text >/root/more')
    assert.equal((await inside('read word </root/more && echo "$word"')).stdout, 'text\n')
    await inside(FILL)
    await stop()
    await done(cli, 'rm', '--now', 'play')
    assert.deepEqual(storeState(cli.data).leftovers, [])
    await done(cli, 'create', join(cli.home, 'runnable.tar.gz'), '-n', 'play', '-q')
  })

async function givenPlay(t: TestContext): Promise<EnvironmentCli> {
  const folder = await mkdtemp(join(FOLDER ?? '', 'store-'))
  const cli = await environmentCli(t, {
    XDG_DATA_HOME: folder,
    ENVS_IDENTITY: 'emulated',
    ENVS_TRASH_TIME: '',
  })
  t.after(() => rm(folder, {recursive: true, force: true}))
  await done(cli, 'create', await runnableRootfs(cli.home), '-n', 'play', '-q')
  return {...cli, data: join(folder, 'envs'), store: join(folder, 'envs', 'environments')}
}
