import assert from 'node:assert/strict'
import {test} from 'node:test'
import {environmentCli} from '../support/environment-cli.js'

// Ubuntu's own package archive, with nothing but the built-in keys: npm run test:live.

const KEY_2012 = '790BC7277767219C42C86F933B4FE6ACC0B21F32'
const KEY_2018 = 'F6ECB3762474EDA9D21B7022871920D1991BC93C'

for (const [suite, fingerprint] of [
  ['focal', KEY_2012],
  ['jammy', KEY_2018],
  ['noble', KEY_2018],
  ['resolute', KEY_2018],
] as const) {
  test(`${suite} is made of packages of Ubuntu's archive, and its APT installs from there`, async (t) => {
    const cli = await environmentCli(t)
    const created = await cli.run('create', `${suite}/archive`, '--name', 'play', '--json')
    assert.equal(created.status, 0, created.stdout)
    const {image} = JSON.parse((await cli.run('show', 'play', '--json')).stdout)
    assert.equal(image.signer.fingerprint, fingerprint)
    const {status, stdout, stderr} = await cli.run(
      ...['run', 'play', '--', 'sh', '-c'],
      '. /etc/os-release; echo $VERSION_CODENAME; apt-get -qq update && apt-get -qq install hello >/dev/null && hello',
    )
    assert.deepEqual([status, stdout], [0, `${suite}\nHello, world!\n`], stderr)
  })
}
