/*
 * A model of how calls are taken ahead: go/internal/endpoint/ahead.go, with takeTurn, giveTurn and takeOver, python/packaging/ahead.h, and rare.h but for slept. See README.md.
 *
 * Steps are as in nanorpc.pml: one atomic operation on a word that is shared, with whatever is local to the thread; in any order, and sequentially consistent. The names are those of
 * the code; what is called "ghost" is there for the assertions alone. Threads have no lock in common: the interpreter may have one, but nothing here needs it.
 *
 * It is one connection, with two slots. Slot 0 is the one watched: its caller publishes, and does nothing else, unless the bell says that the slot is not polled; there is a bell only
 * where threads may sleep for its calls (DOZES). Slot 1 is announced in the ready mask. What is left out is all that does not depend on the turn: how Next sleeps, parking, closing and
 * giving up are in nanorpc.pml.
 */

/* Sizes. */
#ifndef CALLS
#define CALLS 3 /* in slot 0, one after the other */
#endif
#ifndef OTHERS
#define OTHERS 1 /* in slot 1 */
#endif
#ifndef AHEAD
#define AHEAD 2 /* most calls that are taken ahead in a row: MOST_AHEAD */
#endif
#ifndef DOZES
#define DOZES 0 /* how often a thread may sleep for the call that follows. 0: there is no bell, and slot 0 is always polled */
#endif
#ifndef SPURIOUS
#define SPURIOUS 0 /* most sleeps that end for no reason: timeouts, signals, and wake-ups that come late */
#endif
#ifndef SHARED
#define SHARED 0 /* 1: slot 1 is GROUPS slots after slot 0, and has the same bit. It is not in use from the start */
#endif
#ifndef INTERRUPTS
#define INTERRUPTS 0 /* 1: Server.Interrupt is called */
#endif
#ifndef RELIEFS
#define RELIEFS 2 /* how often leaders may be relieved */
#endif
#ifndef THREADS
#define THREADS (RELIEFS + 1) /* that may lead: so that there is another one if all that have been relieved are stuck */
#endif

/* Generations wrap around with the second call, as one that is 0 must not be taken for none; and none comes twice, so that nothing that is out of date can be right by chance. */
#define GENERATIONS 8
#define BEFORE (GENERATIONS - 2)                                              /* that of all words, before the first call */
#define GENERATION(n) ((BEFORE + (n)) % GENERATIONS)                          /* of the n-th call in a slot */
#define NTH(generation) (((generation) + GENERATIONS - BEFORE) % GENERATIONS) /* and back */
#define CALL(slot, generation) ((slot) * CALLS + NTH(generation))             /* the number of a call */

/* The type turn, which is one word: its number, odd while the leader runs a handler; whether the call of this turn was taken ahead; and the generation of that call. */
#define number(turn) ((turn) / 16)
#ifdef M_NEXT
#define next(turn) ((turn) + 16)
#else
#define next(turn) ((number(turn) + 1) * 16)
#endif
#ifdef M_APART
#define ahead(turn, generation) ((number(turn) + 2) * 16)
#else
#define ahead(turn, generation) ((number(turn) + 2) * 16 + 8 + (generation))
#endif
#ifdef M_DOZE_TURN
#define rarely(turn, generation) ahead(turn, generation)
#define ENDED true
#else
#define rarely(turn, generation) ((number(turn) + 1) * 16 + 8 + (generation)) /* after a sleep */
#define ENDED (turn == mine)
#endif
#define taken(turn) ((turn) % 8)
#ifdef M_ALWAYS
#define wasAhead(turn) true
#else
#ifdef M_FLAG
#define wasAhead(turn) (taken(turn) != 0)
#else
#define wasAhead(turn) ((turn) / 8 % 2 == 1)
#endif
#endif

/* The comparisons: in next_turn, in giveTurn, and of who relieves a leader. */
#ifdef M_STORE
#define BEGINS true
#else
#define BEGINS (turn == mine)
#endif
#ifdef M_GIVE
#define GIVES true
#else
#define GIVES (turn == mine)
#endif
#ifdef M_EVEN
#define RUNS(turn) true
#else
#define RUNS(turn) (number(turn) % 2 == 1)
#endif

/* The segment. The words have generations only. Payloads are the number of their call. */
byte request[2] = BEFORE, requestPayload[2], reply[2] = BEFORE, replyPayload[2];
bit ready; /* the bit of slot 1 */
#if DOZES
bit own;   /* and that of slot 0 */
#define RUNG (ready || own)
mtype = { Awake, Sleeping, Polling }; /* Polling: slot 0 */
mtype bell = Awake;
bit used;        /* is more than GROUPS */
bit interrupted; /* Server.interrupted */
bit pending;     /* Server.pending: slot 1 is to be looked at. The leader's own, as linkTaken */
byte spurious;   /* how many sleeps may still end for no reason */
/* Who finds no sleeper, or that another one has woken it, has no more to do. */
#define Wake() atomic { if :: bell == Sleeping -> bell = Awake; printf("server: the sleeper is woken\n") :: else fi }
/* The mask is compared and swapped: that fails if another bit is set by now. */
#define TAKE_BIT atomic { if :: rung && ready -> goto quit :: rung && !ready -> leads(me); own = 0; printf("server, thread %d: takes the bit of slot 0\n", me) :: else fi }
/* FollowsRarely. The bell is the leader's own while nobody sleeps. */
#define FOLLOW ; rare = slot == 0 && bell == Awake && !pending && !used
#define FORGET ; rare = 0
#else
#define RUNG ready
#define FOLLOW
#define FORGET
#endif

/* conn.turn */
short turn;

#ifdef M_APART
/* As it was first: what is taken ahead in one of the last two turns, with the number of that turn. */
short apart[2];
#define APART(number) apart[(number) / 2 % 2]
#endif

/* link.Server.taken, which is the leader's own, and passes on with the leadership. */
byte linkTaken[2] = BEFORE;
#define fresh(slot) (request[slot] != linkTaken[slot])
#define Took(generation) linkTaken[0] = generation
#define Follows(slot) (slot == 0) /* found out before the turn begins. What else it depends on is as if the thread gave up at once */

byte starting; /* leaders that have been started, by go c.lead(), or told to lead, in handOver, and do not run yet */

/* Ghosts. */
bit ran[CALLS + OTHERS + 1]; /* by number: a handler has been started for it */
#define NOBODY 255
byte leader = NOBODY; /* who does what only the leader may do */

#define RELIEF THREADS /* one that is being relieved is led by who does that */

/* From here on who may do what only the leader may, and until when. */
#define lead(who) assert(leader == NOBODY); leader = who
#define leave(who) leads(who); leader = NOBODY
#define leads(who) assert(leader == who)

/* A caller that has a slot for itself, and waits for each reply before it makes the next call: reply words are what it waits for. */
proctype Caller(byte slot; byte calls) {
	byte n;
	do
	:: n == calls -> break
	:: n < calls ->
		n++;
#if SHARED
		if
		:: slot == 1 -> used = 1
		:: else
		fi;
#endif
		requestPayload[slot] = CALL(slot, GENERATION(n));
		atomic { request[slot] = GENERATION(n); printf("client, slot %d: publishes call %d\n", slot, CALL(slot, GENERATION(n))) }
#if DOZES
		if
		:: slot == 0 && bell == Polling -> goto await /* submit */
		:: else
		fi;
		/* rouse */
#ifdef M_DOZE_RING
		Wake();
#endif
		atomic {
			if
			:: slot == 1 && !SHARED -> ready = 1
			:: else -> own = 1
			fi;
			printf("client, slot %d: sets its bit\n", slot)
		}
#ifndef M_DOZE_RING
		Wake();
#endif
await:
#else
		if
		:: slot == 1 -> ready = 1
		:: else
		fi;
#endif
		atomic { reply[slot] == GENERATION(n) ->
			assert(replyPayload[slot] == CALL(slot, GENERATION(n))); /* the reply is to this call */
			printf("client, slot %d: has the reply to call %d\n", slot, CALL(slot, GENERATION(n)))
		}
	od
}

#if DOZES
/* Server.Interrupt. The leader is to come to Next for it, without a call. */
proctype Interrupter() {
	interrupted = 1;
	Wake();
	!interrupted
}
#endif

/* What leads: a goroutine, which takes no calls ahead, or a Worker with its thread. */
proctype Thread(byte me) {
	byte slot, generation, following, calls; /* calls: that have been taken ahead in a row */
#if DOZES
	bit rare, rung; /* rare: Worker.rarely, it may sleep, and takes nothing that comes at once. rung: the bit of slot 0, as it was seen */
	byte dozes;
#endif
	short mine;                              /* leader.turn, TURN_NUMBER: the last turn that it has begun */

endIdle: /* it leads nothing */
	atomic { starting -> starting--; lead(me); printf("server, thread %d: leads\n", me) }

poll:
#if DOZES
	/* Next has slept, or has chosen to poll slot 0. After a change of the bell it looks at that slot, as it may at any time here. */
	atomic { leads(me); if :: bell = Awake :: bell = Polling fi }
#endif
endPoll:
	/* Server.poll: first the group whose bit is set, then the slot watched. The bit may be set after it has been looked at, so the latter is possible at any time. */
	if
	:: atomic { ready -> leads(me); ready = 0; slot = 1 }
	:: atomic { fresh(0) -> leads(me); slot = 0 }
#if DOZES
	:: atomic { own -> leads(me); own = 0; slot = 0; pending = SHARED }
	:: atomic { pending -> leads(me); pending = 0; slot = 1 }
	:: atomic { interrupted -> leads(me); interrupted = 0; goto poll }
#endif
	fi;
	/* Server.take */
	atomic {
		leads(me);
		if
		:: fresh(slot) -> generation = request[slot]; linkTaken[slot] = generation FOLLOW;
			printf("server, thread %d: takes call %d\n", me, CALL(slot, generation))
		:: else -> slot = 0; goto poll
		fi
	}
	/* leader.takeTurn. It may store, as nobody else changes a turn that is even. */
	atomic { leads(me); mine = next(turn) }
	atomic { turn = mine; leave(me); printf("server, thread %d: begins turn %d\n", me, number(mine)) } /* from here on others may lead */

handle:
	atomic {
		assert(!ran[CALL(slot, generation)]); /* a call is run once */
		assert(requestPayload[slot] == CALL(slot, generation)); /* nobody writes a request that is read */
		ran[CALL(slot, generation)] = 1;
		printf("server, thread %d: runs call %d\n", me, CALL(slot, generation))
	}
	/* run_calls */
	replyPayload[slot] = CALL(slot, generation);
	atomic {
		assert(reply[slot] != generation); /* a call is answered once */
		reply[slot] = generation;
		printf("server, thread %d: answers call %d\n", me, CALL(slot, generation));
		if
		:: Follows(slot) && calls < AHEAD
		:: else -> goto end
		fi
	}

#if DOZES
	if
	:: rare && dozes < DOZES -> goto doze
	:: rare -> goto end
	:: !rare
	fi;
#endif
	/* take_ahead. What does not come at once is not waited for, and a thread may do without: a Go handler's does. */
	if
	:: !RUNG /* else there is something else for the leader */
	:: goto end
	fi;
#if DOZES
	if
	:: bell == Polling
	:: goto end
	fi;
#endif
	if
	:: atomic { request[0] != generation -> following = request[0]; printf("server, thread %d: sees call %d, after turn %d\n", me, CALL(0, following), number(mine)) }
	:: goto end
	fi;
	/* next_turn */
#ifdef M_APART
	atomic {
		APART(number(mine) + 2) = (number(mine) + 2) * 16 + following;
		printf("server, thread %d: stores that it takes call %d in turn %d\n", me, CALL(0, following), number(mine) + 2)
	}
#endif
	atomic {
		if
		:: BEGINS ->
			mine = ahead(mine, following); turn = mine;
			generation = following; following = 0; calls++;
			printf("server, thread %d: begins turn %d, with call %d\n", me, number(mine), CALL(0, generation));
			goto handle
		:: else -> following = 0; printf("server, thread %d: does not begin turn %d\n", me, number(mine) + 2)
		fi
	}

end:	/* leader.end: giveTurn, */
#ifdef M_EARLY
	atomic {
		if
		:: calls -> Took(generation); printf("server, thread %d: says that call %d has been taken\n", me, CALL(0, generation))
		:: else
		fi
	}
#endif
	atomic {
		if
		:: GIVES -> turn = next(mine); lead(me); printf("server, thread %d: ends turn %d\n", me, number(mine))
		:: else -> printf("server, thread %d: leads no more\n", me); slot = 0; generation = 0; mine = 0; calls = 0 FORGET; goto endIdle
		fi
	}
	/* and noteAhead. */
	atomic {
		leads(me);
#if !defined(M_TOOK) && !defined(M_EARLY)
		if
		:: calls -> Took(generation)
		:: else
		fi;
#endif
		slot = 0; generation = 0; mine = 0; calls = 0 FORGET;
		goto poll
	}

#if DOZES
doze:	/* take_rare: as giveTurn. Who fails here fails there as well */
	atomic {
		if
#ifdef M_DOZE_TURN
		:: lead(me)
#else
		:: turn == mine -> mine = next(mine); turn = mine; lead(me); printf("server, thread %d: ends turn %d, to sleep\n", me, number(mine) - 1)
		:: else -> goto end
#endif
		fi
	}
again:
	atomic { leads(me); assert(bell == Awake); bell = Sleeping; dozes++; printf("server, thread %d: says that it sleeps\n", me) }
#ifndef M_DOZE_MASK
	if
	:: RUNG -> goto awake
	:: else
	fi;
#endif
#ifndef M_DOZE_WORD
	if
	:: request[0] != generation -> goto awake
	:: else
	fi;
#endif
#ifndef M_DOZE_INTERRUPTED
	if
	:: interrupted -> goto awake
	:: else
	fi;
#endif
endDoze: /* if no call comes any more */
	if
	:: bell != Sleeping
	:: atomic { spurious > 0 -> spurious--; printf("server, thread %d: wakes for no reason\n", me) }
	fi;
awake:
	atomic { leads(me); if :: bell == Sleeping -> bell = Awake :: else fi }
	if
	:: ready -> goto quit /* a call in another slot */
	:: atomic { else -> rung = own; printf("server, thread %d: is awake; the bit of slot 0 is %d\n", me, rung) }
	fi;
#if SHARED
	if
	:: used -> goto quit
	:: else
	fi;
#endif
	if
	:: interrupted -> goto quit
	:: else
	fi;
#ifndef M_DOZE_BIT
	TAKE_BIT;
#endif
#if SHARED && !defined(M_DOZE_USED)
	/* The bit may have been set for the other slot as well, since it was seen. */
	if
	:: rung && used -> atomic { leads(me); own = 1; goto quit }
	:: else
	fi;
#endif
	if
	:: atomic { request[0] != generation -> following = request[0]; printf("server, thread %d: sees call %d, after a sleep\n", me, CALL(0, following)) }
	:: else ->
#ifdef M_DOZE_BIT
		TAKE_BIT;
#endif
		atomic {
			rung = 0;
			if
			:: dozes < DOZES -> goto again
			:: goto quit /* its time is over, or it has been woken for nothing too often */
			fi
		}
	fi;
	/* The next turn begins as in takeTurn. It need not compare, as nobody else changes a turn that is even. */
	atomic {
		if
		:: leads(me); assert(ENDED && bell == Awake);
			mine = rarely(mine, following); turn = mine; leave(me);
			generation = following; following = 0; rung = 0; calls++;
			printf("server, thread %d: begins turn %d, with call %d\n", me, number(mine), CALL(0, generation));
			goto handle
		:: goto quit /* it is not short, or of another method */
		fi
	}
quit: /* without a call. Who relieves it is to learn which was the last one */
	atomic {
		leads(me); assert(ENDED && bell == Awake);
#ifdef M_DOZE_LAST
		mine = next(mine);
#else
#ifdef M_DOZE_SEEN
		mine = rarely(mine, request[0]);
#else
		mine = rarely(mine, generation);
#endif
#endif
		turn = mine; leave(me); following = 0; rung = 0;
		printf("server, thread %d: begins turn %d, without a call\n", me, number(mine));
		goto end
	}
#endif
}

/* conn.relieve and watched.look, with conn.takeOver: the monitor's and the ring's are processes of their own, that have seen the turn, and may come late. */
proctype Relief() {
	short seen;
endLook:
	atomic { RUNS(turn) -> seen = turn }
	/* takeOver */
	atomic {
		if
#ifdef M_APART
		:: turn == seen -> turn = seen + 3 * 16; /* as the thread may have stored already what it would take in seen + 2 */
#else
		:: turn == seen -> turn = next(seen);
#endif
			lead(RELIEF); printf("server: relieves the leader of turn %d\n", number(seen))
		:: else -> seen = 0; goto endLook
		fi
	}
#ifdef M_APART
	atomic {
		leads(RELIEF);
		if
		:: number(APART(number(seen))) == number(seen) -> Took(taken(APART(number(seen)))); printf("server: finds call %d taken ahead in it\n", CALL(0, linkTaken[0]))
		:: else
		fi
	}
#else
#ifndef M_RELIEF
	atomic {
		leads(RELIEF);
		if
		:: wasAhead(seen) -> Took(taken(seen)); printf("server: finds call %d taken ahead in it\n", CALL(0, linkTaken[0]))
		:: else
		fi
	}
#endif
#endif
	atomic { leave(RELIEF); starting++; seen = 0 }
}

init {
	byte i;
	atomic {
		starting = 1;
		do
		:: i < THREADS -> run Thread(i); i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < RELIEFS -> run Relief(); i++
		:: else -> break
		od;
#if DOZES
		/* Chosen first, and may be 0: so none of them hides a lost wake-up. */
		if
		:: spurious = 0
		:: spurious = SPURIOUS
		fi;
		if
		:: INTERRUPTS -> run Interrupter()
		:: else
		fi;
#endif
		run Caller(0, CALLS);
		run Caller(1, OTHERS);
		i = 0
	}
}
