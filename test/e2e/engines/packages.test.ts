import assert from 'node:assert/strict'
import {test} from 'node:test'
import {engineCases} from '../../support/engine-cases.js'

for (const {title, skip, play} of engineCases()) {
  test(`${title}: APT installs a package, and removes it`, {skip}, async () => {
    const {sh} = await play()
    const script = [
      'export DEBIAN_FRONTEND=noninteractive',
      // Two engines share an environment, and its lists of packages.
      '{ ls /var/lib/apt/lists/*_Packages 2>/dev/null || apt-get update; } >/dev/null',
      'apt-get install -y hello >/dev/null',
      'hello && dpkg --audit && apt-get purge -y hello >/dev/null && test ! -e /usr/bin/hello',
    ]
    const ran = await sh(script.join(' && '))
    assert.deepEqual([ran.status, ran.stdout], [0, 'Hello, world!\n'], ran.stderr)
  })

  test(`${title}: owners that are given are kept for the session, or told as if`, {skip}, async () => {
    const {sh} = await play()
    const ran = await sh('touch /tmp/file && chown games:games /tmp/file && rm /tmp/file && echo given')
    assert.deepEqual([ran.stdout, ran.stderr], ['given\n', ''])
  })
}
