import assert from 'node:assert/strict'
import {test} from 'node:test'
import {capabilityNames} from '../../../../src/rootfs/ledger/capabilities.js'

const value = (hex: string) => Buffer.from(hex, 'hex').toString('base64')

for (const [what, base64, expected] of [
  ['one capability', value('0100000200200000000000000000000000000000'), ['cap_net_raw']],
  [
    'capabilities of both words',
    value('0100000201000080000000000001000000000000'),
    ['cap_chown', 'cap_setfcap', 'cap_checkpoint_restore'],
  ],
  ['capabilities that are only inherited', value('0100000200000000ffffffff00000000ffffffff'), []],
  [
    'a revision with a root of its own',
    value('0100000300300000000000000000000000000000e8030000'),
    ['cap_net_admin', 'cap_net_raw'],
  ],
  ['what is no value', 'AAAA', []],
] as const) {
  test(`names ${what}`, () => {
    assert.deepEqual(capabilityNames(base64), expected)
  })
}
