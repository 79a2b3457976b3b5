export {Args, Flags} from '@oclif/core'
