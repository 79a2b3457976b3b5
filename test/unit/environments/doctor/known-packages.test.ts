import assert from 'node:assert/strict'
import {test} from 'node:test'
import {noticesFor} from '../../../../src/environments/doctor/environment.js'

const INSTALLED = ['bash', 'openssh-server', 'cron', 'systemd'].map((name) => ({name, version: '1'}))
const names = (identity: 'mapped' | 'emulated') => noticesFor(INSTALLED, identity).map(({name}) => name)

test('packages are told of only under the identity that they need more than', () => {
  assert.deepEqual(names('mapped'), ['openssh-server', 'systemd'])
  assert.deepEqual(names('emulated'), ['cron', 'openssh-server', 'openssh-server', 'systemd'])
})

test('every package is told of with a remedy, and none with sudo', () => {
  for (const {problem, remedy} of noticesFor(INSTALLED, 'emulated')) {
    assert.match(problem, /^[a-z].*[^.]$/)
    assert.match(remedy, /\.$/)
    assert.doesNotMatch(problem + remedy, /\bsudo\b/)
  }
})
