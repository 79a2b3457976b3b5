/** A process that downloads what its arguments say, and reports to its parent. */
import {download} from '../../../src/host/http/download.js'

const [url = '', destination = ''] = process.argv.slice(2)
const downloaded = await download({
  url: new URL(url),
  destination,
  environment: {},
  maxBytes: 1_000_000,
  backoffMs: 1,
  onProgress: (event) => process.send?.(event),
})
process.send?.({stage: 'done', ...downloaded}, () => process.disconnect())
