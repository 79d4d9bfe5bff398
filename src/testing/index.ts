/** For tests of users' own workflows. Importing it starts nothing. */
export { testRuntime, TestKit, TestRun, type GivenCall, type Stop, type TestOptions } from './kit.js';
export {
  failing,
  inTurn,
  never,
  StubPlan,
  taking,
  type JsonValue,
  type Stub,
  type StubbedCall,
} from './stubs.js';
export { assertEvents, briefly, type ExpectedEvent } from './events.js';
