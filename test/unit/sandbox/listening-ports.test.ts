import assert from 'node:assert/strict'
import {endianness} from 'node:os'
import {test} from 'node:test'
import {parseSocketTable} from '../../../src/sandbox/listening-ports.js'

const HEAD =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'
const skip = endianness() === 'BE' ? 'the tables below are those of a little-endian processor' : false

test('a listening TCP socket has its address, port and inode; a connected one is left out', {skip}, () => {
  const table = `${HEAD}   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000 1607428        0 41752335 1 0000000000d4b34a 100 0 0 10 0
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1236 1 000000009a7daf9c 100 0 0 10 0
   2: 0100007F:1538 0100007F:D9A2 01 00000000:00000000 00:00000000 00000000     0        0 1240 1 000000009a7daf9d 20 4 30 10 -1
`
  assert.deepEqual(parseSocketTable(table, 'tcp'), [
    {protocol: 'tcp', address: '127.0.0.1', port: 5432, inode: '41752335'},
    {protocol: 'tcp', address: '0.0.0.0', port: 80, inode: '1236'},
  ])
})

test('an address of IPv6 is printed as RFC 5952 has it', {skip}, () => {
  const table = `${HEAD}   0: 00000000000000000000000001000000:18EB 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 1607428        0 41752336 1 0000000025ab96ca 100 0 0 10 0
   1: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1029        0 41752856 1 00000000d4e89330 100 0 0 10 0
   2: B80D0120000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1029        0 41752857 1 00000000d4e89331 100 0 0 10 0
`
  assert.deepEqual(
    parseSocketTable(table, 'tcp').map(({address, port}) => [address, port]),
    [
      ['::1', 6379],
      ['::', 8080],
      ['2001:db8::1', 80],
    ],
  )
})

test('a UDP socket without a peer listens', {skip}, () => {
  const table = `${HEAD} 1068: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 5000 2 0000000000000000 0
 1069: 0100007F:A001 0100007F:0035 01 00000000:00000000 00:00000000 00000000     0        0 5001 2 0000000000000000 0
`
  assert.deepEqual(parseSocketTable(table, 'udp'), [
    {protocol: 'udp', address: '0.0.0.0', port: 53, inode: '5000'},
  ])
})

test('lines of another form are skipped', () => {
  assert.deepEqual(parseSocketTable(`${HEAD}\nnonsense\n 0: 0100007F 0A\n`, 'tcp'), [])
  assert.deepEqual(parseSocketTable('', 'tcp'), [])
})
