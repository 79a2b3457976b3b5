import assert from 'node:assert/strict'
import {test} from 'node:test'
import {judge} from '../../support/bpf-machine.js'

const RETURN_ALLOW = '060000000000ff7f'

for (const [what, program, message] of [
  ['without an instruction', '', /length/],
  ['that ends within an instruction', `${RETURN_ALLOW}0600`, /end with an instruction/],
  ['that does not end with a return', '2000000000000000', /end with a return/],
  ['whose jump leaves it', `0500000001000000${RETURN_ALLOW}`, /jumps out/],
  ['whose conditional jump leaves it', `1500010000000000${RETURN_ALLOW}`, /jumps out/],
  ['that loads from behind the data', `2000000040000000${RETURN_ALLOW}`, /loads from 64/],
  ['that loads from between two words', `2000000002000000${RETURN_ALLOW}`, /loads from 2/],
  ['with a code seccomp does not know', `3000000000000000${RETURN_ALLOW}`, /code 0x30/],
] as const) {
  test(`the machine refuses a program ${what}`, () => {
    assert.throws(() => judge(Buffer.from(program, 'hex'), {audit: 0, number: 0}), message)
  })
}

test('the machine hands a filter the number, the architecture and the arguments at their offsets', () => {
  const returnWord = (offset: string, expected: string) =>
    Buffer.from(`20000000${offset}00000015000001${expected}0600000000000500${RETURN_ALLOW}`, 'hex')
  const call = {audit: 0x11223344, number: 5, arguments: [0n, 0x0a0b0c0d_01020304n]}
  assert.equal(judge(returnWord('00', '05000000'), call), 'errno 0')
  assert.equal(judge(returnWord('04', '44332211'), call), 'errno 0')
  assert.equal(judge(returnWord('18', '04030201'), call), 'errno 0')
  assert.equal(judge(returnWord('1c', '0d0c0b0a'), call), 'errno 0')
  assert.equal(judge(returnWord('1c', '0d0c0b0b'), call), 'allow')
})
