/** Every kind of bus that an EventBus object may name: one line each. */
export { default as jetstream } from './jetstream.ts'
export { default as jetstreamExotic } from './jetstreamExotic.ts'
export { default as kafka } from './kafka.ts'
export { default as nats } from './nats.ts'
