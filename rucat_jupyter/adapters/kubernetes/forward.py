"""Port-forwards into one cluster, each behind a loopback address that stays the same while the gateway lives.

For gateways outside the cluster; inside it clients dial the pod itself (:func:`direct`). A platform makes one
:class:`Forwards` for each cluster that it talks to, and for every engine that may live asks :meth:`Forwards.endpoint`:

* It needs no call of the API: it opens the listeners when the engine is first asked for, and from then on only takes
  note of the pod of the present life. So it answers while the API server is away, and a restarted engine (another
  pod) is behind the same port.
* Each connection of a client is one WebSocket to the API server (:mod:`.forward_wire`), dialled when it comes.
* While the API server does not answer, a new connection is held, not refused, until it does or patience ends: clients
  wait instead of failing. What breaks is cut on the client's side too; Spark Connect's clients then reattach.
* :meth:`Forwards.trouble` says what stands between this gateway and an engine's pod now. For as long as it says
  something the engine's silence says nothing: platforms hand it on as ``Observation.blocked``.
* :meth:`Forwards.drop` when the engine is deleted (not when it is stopped: its port is to stay).
"""
