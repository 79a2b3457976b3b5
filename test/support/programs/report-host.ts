// report-host.ts mapping|id-map|doctor: prints what envs finds out about the host it runs on, as JSON.

import {canRun, examineHost, inOrder} from '../../../src/doctor/index.js'
import {featureChecks} from '../../../src/features/index.js'
import {openHost} from '../../../src/host/host.js'
import {probeMapped} from '../../../src/host/id-mapping.js'
import {mappedIds} from '../mapped-ids.js'

const host = openHost()
if (process.argv[2] === 'mapping') console.log(JSON.stringify(await probeMapped(host)))
else if (process.argv[2] === 'id-map') console.log(JSON.stringify(await mappedIds(host, 'uid')))
else {
  const checks = inOrder([...(await examineHost(host)), ...(await featureChecks(host))])
  console.log(JSON.stringify({checks, canRun: canRun(checks)}))
}
