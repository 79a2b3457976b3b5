import assert from 'node:assert/strict'
import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import type {TestContext} from 'node:test'
import {sandboxedCli} from '../../support/cli.js'
import {debianRootfs} from '../../support/debian-rootfs.js'
import {IDENTITIES} from '../../support/guest.js'
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

test('as many snapshots as can be had are kept, one more is refused, and the environment still starts', async (t) => {
  const {envs} = await farDown(t, 'emulated')
  let refused: Awaited<ReturnType<typeof envs>> | undefined
  for (let count = 1; count <= SESSIONS && refused === undefined; count++) {
    const wrote = await envs('run', 'play', '--', 'sh', '-c', `echo ${count} >/root/${count}`)
    assert.equal(wrote.status, 0, wrote.stderr)
    await envs('stop', '-f', 'play')
    const run = await envs('snapshot', 'play', `s${count}`)
    if (run.status !== 0) refused = run
  }
  assert.equal(refused?.status, 4)
  assert.match(
    refused.stderr,
    /^envs: The environment "play" has as many snapshots as one environment can have\.\n {2}Remove some: envs snapshots play --remove s1 --remove s2 --remove s3\n/,
  )
  assert.equal((await envs('run', 'play', '--', 'cat', '/root/1')).stdout, '1\n')
  await envs('stop', '-f', 'play')
  await envs('snapshots', 'play', '--remove', 's1')
  assert.equal((await envs('snapshot', 'play', 'last')).status, 0)
  assert.equal((await envs('run', 'play', '--', 'cat', '/root/1')).stdout, '1\n')
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
  const made = await envs('create', await debianRootfs(), '--name', 'play', '--identity', identity, '--quiet')
  assert.equal(made.status, 0, made.stderr)
  return {
    envs,
    layers: join(data, 'envs', 'layers'),
    history: async (): Promise<{layers: string[]}> =>
      JSON.parse(await readFile(join(data, 'envs', 'environments', 'play', 'history.json'), 'utf8')),
  }
}
