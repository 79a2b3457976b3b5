import assert from 'node:assert/strict'
import {test} from 'node:test'
import {NOT_AS_INSTALLED, sharedBootstrap} from '../../support/bootstrapped.js'

const bookworm = sharedBootstrap('bookworm')

test('every package is installed, and dpkg finds nothing wrong with any', async () => {
  const {sh} = await bookworm()
  assert.equal((await sh(NOT_AS_INSTALLED)).stdout, '')
})

test('its folders at the top are links into usr', async () => {
  const {sh} = await bookworm()
  assert.equal((await sh('readlink /bin /sbin /lib')).stdout, 'usr/bin\nusr/sbin\nusr/lib\n')
})

test('APT installs from the mirror that the image was made from', async () => {
  const {sh} = await bookworm()
  const {status, stdout, stderr} = await sh(
    'apt-get -qq update && apt-get -qq install -y hello >/dev/null && hello',
  )
  assert.deepEqual([status, stdout], [0, 'Hello, world!\n'], stderr)
})
