import assert from 'node:assert/strict'
import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import type {ExposureResult} from '../../../src/environments/exposure/results.js'
import {IDENTITIES, sharedGuest} from '../../support/guest.js'
import {waitUntil} from '../../support/wait-until.js'

for (const {identity, skip} of IDENTITIES) {
  const shared = sharedGuest(identity)
  const report = async (): Promise<ExposureResult> => {
    const {stdout, stderr} = await (await shared()).cli.run('show', '--exposure', 'play', '--json')
    assert.notEqual(stdout, '', stderr)
    return JSON.parse(stdout)
  }
  const codes = ({lines}: ExposureResult) => lines.map(({area, level, code}) => `${area} ${level} ${code}`)

  test(`${identity}: a stopped environment would have what the kernel then tells of the running one`, {
    skip,
  }, async () => {
    const guest = await shared()
    for (const profile of ['default', 'isolated', 'trusted']) {
      await guest.cli.run('set', 'play', `profile=${profile}`, '--quiet')
      await guest.cli.run('stop', '--force', 'play')
      const stopped = await report()
      assert.equal(stopped.isRunning, false)
      assert.equal(stopped.profile, profile)
      // An environment without a session ends.
      const session = guest.start('run', 'play', '--', 'sleep', '100')
      const running = await waitUntil('a running environment', async () => {
        const found = await report()
        return found.isRunning && found
      })
      assert.deepEqual(codes(running), codes(stopped))
      // The profile of a running environment is the one that it was started with.
      await guest.cli.run('set', 'play', 'profile=default', '--quiet')
      assert.equal((await report()).profile, profile)
      session.kill('SIGTERM')
    }
  })

  test(`${identity}: a folder that a session takes appears in the report, and goes with the session`, {
    skip,
  }, async () => {
    const guest = await shared()
    const folder = join(guest.cli.home, 'shared')
    await mkdir(folder, {recursive: true})
    const session = guest.start('run', '--volume', `${folder}:/srv/shared`, 'play', '--', 'sleep', '20')
    await waitUntil('the share in the report', async () =>
      codes(await report()).includes('shares high volume'),
    )
    const [share] = (await report()).lines.filter(({area}) => area === 'shares')
    assert.match(share?.text ?? '', /\/shared of the host at \/srv\/shared$/)
    session.kill('SIGTERM')
    await waitUntil('the end of the share', async () => !codes(await report()).includes('shares high volume'))
  })

  test(`${identity}: audit ends with 10 where an environment has the level, or a higher one`, {
    skip,
  }, async () => {
    const guest = await shared()
    const statuses: number[] = []
    for (const level of ['low', 'medium', 'high'])
      statuses.push((await guest.cli.run('audit', '--fail-on', level)).status ?? -1)
    assert.deepEqual(statuses, [10, 10, 10])
    await guest.cli.run('set', 'play', 'profile=isolated', '--quiet')
    await guest.cli.run('stop', '--force', 'play')
    const {status, stdout} = await guest.cli.run('audit', 'play', '--fail-on', 'high', '--json')
    assert.equal(status, 0)
    assert.equal(JSON.parse(stdout).level, identity === 'mapped' ? 'low' : 'medium')
    assert.match((await guest.cli.run('audit')).stdout, /^play +(?:low|medium) +isolated +stopped +/m)
  })
}
