import assert from 'node:assert/strict'
import {chmod, readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import type {TestContext} from 'node:test'
import {capture} from '../../../src/host/process.js'
import {sandboxedCli} from '../../support/cli.js'
import {debianRootfs} from '../../support/debian-rootfs.js'
import {IDENTITIES} from '../../support/guest.js'
import {seedImage} from '../../support/seeded-image.js'
import {layeredTest as test} from '../../support/stacked-layers.js'

/** A store so far down that few layers can be named in one mount. */
const FAR_DOWN = ['x'.repeat(250), 'y'.repeat(220)]
/** More than can lie on top of each other there. */
const SESSIONS = 9

for (const {identity, skip} of IDENTITIES) {
  test(`sessions without end fit under one environment, and the last can be undone, ${identity}`, {
    skip,
  }, async (t) => {
    const {envs, layers, history} = await farDown(t, identity)
    for (let count = 1; count <= SESSIONS; count++)
      await session(`echo ${count} >/root/${count}; rm -f /root/${count - 2}`)
    assert.ok((await history()).layers.length < SESSIONS)
    assert.ok((await readdir(layers)).length <= SESSIONS + 2)
    assert.equal((await session('ls /root')).trim(), `${SESSIONS - 1}\n${SESSIONS}`)
    assert.equal((await envs('undo', 'play')).status, 0)
    assert.equal((await session('ls /root')).trim(), `${SESSIONS - 2}\n${SESSIONS - 1}`)

    async function session(script: string): Promise<string> {
      const run = await envs('run', 'play', '--', 'sh', '-c', script)
      assert.equal(run.status, 0, run.stderr)
      await envs('stop', '-f', 'play')
      return run.stdout
    }
  })
}

test('more snapshots than layers can lie under one environment: each is kept, and can be restored', async (t) => {
  const {envs, history, layers: folder} = await farDown(t, 'emulated')
  for (let count = 1; count <= SESSIONS; count++) {
    const wrote = await envs(
      'run',
      'play',
      '--',
      'sh',
      '-c',
      `head -c 100000 /dev/zero >/root/${count}; echo ${count} >/root/newest`,
    )
    assert.deepEqual([wrote.status, wrote.stderr], [0, ''])
    await envs('stop', '-f', 'play')
    const made = await envs('snapshot', 'play', `s${count}`)
    assert.equal(made.status, 0, made.stderr)
  }
  const {layers, snapshots} = await history()
  assert.ok(layers.length < SESSIONS)
  const labels = snapshots.map(({label}) => label).filter((label) => label.startsWith('s'))
  assert.equal(labels.length, SESSIONS)
  await assertCountedOnce()
  for (const count of [1, SESSIONS - 1, 4]) {
    assert.equal((await envs('restore', 'play', `s${count}`)).status, 0)
    const listed = await envs('run', 'play', '--', 'sh', '-c', 'cat /root/newest; ls /root | wc -l')
    assert.equal(listed.stdout, `${count}\n${count + 1}\n`)
    await envs('stop', '-f', 'play')
  }
  assert.match((await envs('doctor', '--check')).stdout, /: no problems\.$/m)

  /** Files of a merged layer are links to those of the layers that older snapshots keep: du(1) counts them once too. */
  async function assertCountedOnce(): Promise<void> {
    const image = (await history()).layers[0]
    const own = (await readdir(folder)).filter((name) => name !== image && !name.startsWith('.'))
    const {stdout} = await capture([
      'du',
      '-s',
      '-k',
      '-c',
      '--',
      ...own.map((name) => join(folder, name, 'tree')),
    ])
    const [listed] = JSON.parse((await envs('list', '--json')).stdout)
    assert.equal(listed.sizeBytes, Number(/^(\d+)\ttotal$/m.exec(stdout)?.[1]) * 1024)
  }
})

test('a restore point that could not be made is said, and the environment starts', async (t) => {
  const {envs, data} = await farDown(t, 'emulated')
  await envs('run', 'play', '--', 'sh', '-c', 'echo 1 >/root/1')
  await envs('stop', '-f', 'play')
  await chmod(join(data, 'layers'), 0o500)
  const run = await envs('run', 'play', '--', 'cat', '/root/1')
  await chmod(join(data, 'layers'), 0o700)
  assert.deepEqual(
    [run.status, run.stdout, run.stderr],
    [
      0,
      '1\n',
      'envs: warning: Could not make a restore point of "play": permission denied. envs undo takes back the changes of this run together with those before it.\n',
    ],
  )
})

/** An environment, called play, in a store {@link FAR_DOWN}. */
async function farDown(t: TestContext, identity: 'mapped' | 'emulated') {
  const tidyUps: (() => Promise<void>)[] = []
  const cli = await sandboxedCli({after: (tidyUp) => void tidyUps.push(tidyUp)})
  const data = join(cli.home, ...FAR_DOWN)
  const envs = (...argv: string[]) => cli.runWith({env: {XDG_DATA_HOME: data}}, ...argv)
  t.after(async () => {
    await envs('rm', '-f', 'play')
    for (const tidyUp of tidyUps) await tidyUp()
  })
  await seedImage({...cli, data: join(data, 'envs')}, identity)
  const made = await envs('create', await debianRootfs(), '--name', 'play', '--identity', identity, '--quiet')
  assert.equal(made.status, 0, made.stderr)
  return {
    envs,
    data: join(data, 'envs'),
    layers: join(data, 'envs', 'layers'),
    history: async (): Promise<{layers: string[]; snapshots: {label: string}[]}> =>
      JSON.parse(await readFile(join(data, 'envs', 'environments', 'play', 'history.json'), 'utf8')),
  }
}
