// A charge point made of the npm package `ocpp-rpc` in strict mode: every message in either direction is validated by
// its own schemas. It plays one whole session, says `charging` once it has a limit and waits to be read from, and tells
// at the end what it saw as a line of JSON; any surprise is in there, and the exit code is 1.
//
//   node charge_point.mjs ENDPOINT IDENTITY PASSWORD SUBPROTOCOL TOKEN

import { createRequire } from 'node:module';

const { RPCClient, createRPCError } = createRequire(import.meta.url)('ocpp-rpc');
const [endpoint, identity, password, subprotocol, token] = process.argv.slice(2);

const START_WH = 1000;
const STEP_WH = 50;
const ROUNDS = 4;
const PATIENCE_MS = 30_000;

const calls = [];
const profiles = [];
const failures = [];
const waiting = [];
const defaults = new Map();
let transactionProfile = null;

const client = new RPCClient({
    endpoint,
    identity,
    password,
    protocols: [subprotocol],
    strictMode: true,
    reconnect: false,
    callTimeoutMs: PATIENCE_MS,
});
client.on('strictValidationFailure', ({ method, error, outbound }) => {
    failures.push(`${outbound ? 'out' : 'in'} ${method}: ${error.message}`);
});
client.on('badMessage', ({ error }) => failures.push(`bad message: ${error.message}`));

const stamp = () => new Date().toISOString();

/** Answer an action, and remember that it was asked for. */
function answer(action, reply) {
    client.handle(action, ({ params }) => {
        calls.push(action);
        const said = reply(params);
        waiting.splice(0).forEach((look) => look());
        return said;
    });
}

/** Resolve as soon as `isSo`, which is looked at after every call; reject after the patience is over. */
function until(isSo, what) {
    return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), PATIENCE_MS);
        const look = () => {
            if (isSo()) {
                clearTimeout(timer);
                resolve();
            } else {
                waiting.push(look);
            }
        };
        look();
    });
}

/** Charging under a limit: the other side is told, and reads something from us. */
async function charging(read) {
    await until(() => transactionProfile !== null, 'a profile for the transaction');
    const before = calls.length;
    process.stdout.write('charging\n');
    await until(() => calls.slice(before).includes(read), read);
}

function expect(isTrue, what) {
    if (!isTrue) {
        throw new Error(what);
    }
}

/** The schedule that is in force at an EVSE, and the unit to spell it in. */
function composite(evse, unit) {
    const schedule = [transactionProfile ?? defaults.get(evse) ?? defaults.get(0)].flat()[0];
    return schedule === undefined ? null : { unit: unit ?? schedule.chargingRateUnit, schedule };
}

function take(evse, profile) {
    profiles.push(profile);
    if (profile.chargingProfilePurpose === 'TxProfile') {
        transactionProfile = profile.chargingSchedule;
    } else {
        defaults.set(evse, profile.chargingSchedule);
    }
    return { status: 'Accepted' };
}

client.handle(({ method }) => {
    calls.push(method);
    throw createRPCError('NotImplemented', `this charge point does not know ${method}`);
});

const plays = {
    'ocpp1.6': async () => {
        answer('SetChargingProfile', (params) => take(params.connectorId, params.csChargingProfiles));
        answer('ClearChargingProfile', () => ({ status: 'Accepted' }));
        answer('ChangeConfiguration', () => ({ status: 'Accepted' }));
        answer('TriggerMessage', () => ({ status: 'NotImplemented' }));
        answer('GetConfiguration', (params) => ({
            configurationKey: [
                { key: 'ChargeProfileMaxStackLevel', readonly: true, value: '8' },
                { key: 'ChargingScheduleAllowedChargingRateUnit', readonly: true, value: 'Current,Power' },
                { key: 'ChargingScheduleMaxPeriods', readonly: true, value: '24' },
                { key: 'MaxChargingProfilesInstalled', readonly: true, value: '10' },
                { key: 'NumberOfConnectors', readonly: true, value: '1' },
            ].filter(({ key }) => !params.key?.length || params.key.includes(key)),
            unknownKey: [],
        }));
        answer('GetCompositeSchedule', ({ connectorId, chargingRateUnit }) => {
            const found = composite(connectorId, chargingRateUnit);
            if (found === null) {
                return { status: 'Rejected' };
            }
            return {
                status: 'Accepted',
                connectorId,
                scheduleStart: stamp(),
                chargingSchedule: {
                    chargingRateUnit: found.unit,
                    chargingSchedulePeriod: found.schedule.chargingSchedulePeriod,
                },
            };
        });

        const boot = await client.call('BootNotification', {
            chargePointVendor: 'Independent',
            chargePointModel: 'ocpp-rpc',
            chargePointSerialNumber: 'IND-16',
            firmwareVersion: '2.2.1',
        });
        expect(boot.status === 'Accepted', `the boot was answered with ${boot.status}`);
        const status = (name) =>
            client.call('StatusNotification', {
                connectorId: 1,
                errorCode: 'NoError',
                status: name,
                timestamp: stamp(),
            });
        await status('Available');
        await until(() => defaults.size > 0, 'a default profile');
        await status('Preparing');
        const authorized = await client.call('Authorize', { idTag: token });
        expect(authorized.idTagInfo.status === 'Accepted', 'the token was not accepted');
        const started = await client.call('StartTransaction', {
            connectorId: 1,
            idTag: token,
            meterStart: START_WH,
            timestamp: stamp(),
        });
        expect(started.transactionId > 0, 'the start got no transaction id');
        await status('Charging');
        await charging('GetConfiguration');
        for (let round = 1; round <= ROUNDS; round += 1) {
            await client.call('MeterValues', {
                connectorId: 1,
                transactionId: started.transactionId,
                meterValue: [
                    {
                        timestamp: stamp(),
                        sampledValue: [
                            { value: String(START_WH + round * STEP_WH), measurand: 'Energy.Active.Import.Register' },
                            { value: '1.38', measurand: 'Power.Active.Import', unit: 'kW' },
                        ],
                    },
                ],
            });
        }
        const stopped = await client.call('StopTransaction', {
            transactionId: started.transactionId,
            idTag: token,
            meterStop: START_WH + (ROUNDS + 1) * STEP_WH,
            timestamp: stamp(),
            reason: 'Local',
        });
        expect(stopped.idTagInfo.status === 'Accepted', 'the stop was not accepted');
        await status('Finishing');
        await status('Available');
        const beat = await client.call('Heartbeat', {});
        expect(Math.abs(Date.parse(beat.currentTime) - Date.now()) < 60_000, 'the clocks are apart');
    },

    'ocpp2.0.1': async () => {
        answer('SetChargingProfile', (params) => take(params.evseId, params.chargingProfile));
        answer('ClearChargingProfile', () => ({ status: 'Accepted' }));
        answer('TriggerMessage', () => ({ status: 'NotImplemented' }));
        answer('GetBaseReport', () => ({ status: 'NotSupported' }));
        answer('GetReport', () => ({ status: 'NotSupported' }));
        answer('SetVariables', ({ setVariableData }) => ({
            setVariableResult: setVariableData.map(({ component, variable }) => ({
                attributeStatus: 'Accepted',
                component,
                variable,
            })),
        }));
        answer('GetVariables', ({ getVariableData }) => ({
            getVariableResult: getVariableData.map(({ component, variable }) => ({
                attributeStatus: 'UnknownVariable',
                component,
                variable,
            })),
        }));
        answer('GetCompositeSchedule', ({ evseId, duration, chargingRateUnit }) => {
            const found = composite(evseId, chargingRateUnit);
            if (found === null) {
                return { status: 'Rejected' };
            }
            return {
                status: 'Accepted',
                schedule: {
                    evseId,
                    duration,
                    scheduleStart: stamp(),
                    chargingRateUnit: found.unit,
                    chargingSchedulePeriod: found.schedule.chargingSchedulePeriod,
                },
            };
        });

        const boot = await client.call('BootNotification', {
            reason: 'PowerUp',
            chargingStation: { vendorName: 'Independent', model: 'ocpp-rpc', firmwareVersion: '2.2.1' },
        });
        expect(boot.status === 'Accepted', `the boot was answered with ${boot.status}`);
        const status = (connectorStatus) =>
            client.call('StatusNotification', { timestamp: stamp(), connectorStatus, evseId: 1, connectorId: 1 });
        await status('Available');
        await until(() => defaults.size > 0, 'a default profile');
        await status('Occupied');
        const idToken = { idToken: token, type: 'ISO14443' };
        const authorized = await client.call('Authorize', { idToken });
        expect(authorized.idTokenInfo.status === 'Accepted', 'the token was not accepted');
        let seqNo = 0;
        const event = (eventType, triggerReason, transactionInfo, more) =>
            client.call('TransactionEvent', {
                eventType,
                timestamp: stamp(),
                triggerReason,
                seqNo: seqNo++,
                transactionInfo: { transactionId: 'independent-1', ...transactionInfo },
                ...more,
            });
        const register = (value, context, ...others) => ({
            meterValue: [
                { timestamp: stamp(), sampledValue: [{ value, context, measurand: 'Energy.Active.Import.Register' }, ...others] },
            ],
        });
        const evse = { id: 1, connectorId: 1 };
        const started = await event('Started', 'Authorized', { chargingState: 'EVConnected' }, {
            idToken,
            evse,
            ...register(START_WH, 'Transaction.Begin'),
        });
        expect(started.idTokenInfo.status === 'Accepted', 'the start was not accepted');
        await event('Updated', 'ChargingStateChanged', { chargingState: 'Charging' });
        await charging('GetVariables');
        for (let round = 1; round <= ROUNDS; round += 1) {
            await event('Updated', 'MeterValuePeriodic', { chargingState: 'Charging' }, register(
                START_WH + round * STEP_WH,
                'Sample.Periodic',
                { value: 1.38, measurand: 'Power.Active.Import', unitOfMeasure: { unit: 'kW' } },
            ));
        }
        await event('Ended', 'EVDeparted', { stoppedReason: 'EVDisconnected' }, register(
            START_WH + (ROUNDS + 1) * STEP_WH,
            'Transaction.End',
        ));
        await status('Available');
        const beat = await client.call('Heartbeat', {});
        expect(Math.abs(Date.parse(beat.currentTime) - Date.now()) < 60_000, 'the clocks are apart');
    },
};

let surprise = null;
try {
    await client.connect();
    expect(client.protocol === subprotocol, `the server chose ${client.protocol}`);
    await plays[subprotocol]();
    await client.close({ code: 1000 });
} catch (error) {
    surprise = String(error?.stack ?? error);
    await client.close({ force: true }).catch(() => {});
}
process.stdout.write(`${JSON.stringify({ calls, profiles, failures, surprise })}\n`);
process.exitCode = surprise === null && failures.length === 0 ? 0 : 1;
