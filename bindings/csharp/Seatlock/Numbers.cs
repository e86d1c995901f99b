// The numbers of seatlock.h, by their names there.

using System;

namespace Seatlock
{
    /// <summary>What calls answer, and what events and the status report. Zero is success, a
    /// positive number success with a remark, a negative one an error. Later versions of the
    /// library may add some.</summary>
    public enum Code : int
    {
        /// <summary>Done; licensed.</summary>
        Ok = 0,
        /// <summary>Licensed, working offline.</summary>
        OkOffline = 1,
        /// <summary>Licensed, but the offline period ends soon.</summary>
        OkWarn = 2,
        /// <summary>No event is waiting.</summary>
        NoEvent = 3,
        /// <summary>The operation has not ended in the time given.</summary>
        Pending = 4,
        /// <summary>There is no such text or value now.</summary>
        NoValue = 5,
        /// <summary>A launch ping found no token to activate this computer with; nothing was
        /// sent.</summary>
        NotActivated = 6,
        /// <summary>The client is closed, but a function of the host or a call on another
        /// thread still runs.</summary>
        StillRunning = 7,
        /// <summary>No token was entered on this computer.</summary>
        NoToken = -10,
        /// <summary>The token is incomplete or mistyped; nothing was sent.</summary>
        TokenMalformed = -11,
        /// <summary>The token is sound but of another kind; nothing was sent.</summary>
        TokenWrongKind = -12,
        /// <summary>The server does not know the token.</summary>
        TokenUnknown = -13,
        /// <summary>The token was revoked, for good.</summary>
        TokenRevoked = -14,
        /// <summary>Nobody is signed in at the sign-in service, or the sign-in has
        /// ended.</summary>
        SignInRequired = -15,
        /// <summary>The sign-in service refused: a person said no, or client id and secret are
        /// not good.</summary>
        SignInRefused = -16,
        /// <summary>The sign-in does not include a scope that the server needs.</summary>
        ScopeMissing = -17,
        /// <summary>The server has no account for who signed in.</summary>
        IdentityUnknown = -18,
        /// <summary>The sign-in service does not answer, or not as it should.</summary>
        IdentityProviderUnavailable = -19,
        /// <summary>Another computer holds the seat.</summary>
        SeatInUseElsewhere = -20,
        /// <summary>All seats of the license are in use.</summary>
        SeatLimitReached = -21,
        /// <summary>The seat was released; entering the token again takes it back.</summary>
        SeatReleased = -22,
        /// <summary>A seat of the license was already released a short while ago.</summary>
        ReleaseRateLimited = -23,
        /// <summary>A copy of this installation took the lease over.</summary>
        LeaseSuperseded = -24,
        /// <summary>The license refuses machine ids that were supplied.</summary>
        MachineIdSupplied = -25,
        /// <summary>The subscription is paused.</summary>
        LicenseSuspended = -30,
        /// <summary>The subscription ended.</summary>
        LicenseExpired = -31,
        /// <summary>The plan does not include this product.</summary>
        PlanNotEntitled = -32,
        /// <summary>The terms were not accepted; nothing was sent.</summary>
        TermsRequired = -33,
        /// <summary>The server wants a newer plug-in.</summary>
        PluginTooOld = -34,
        /// <summary>The license includes no version that was released as late as this plug-
        /// in.</summary>
        UpdateNotIncluded = -35,
        /// <summary>The offline period ended.</summary>
        LeaseExpired = -40,
        /// <summary>The stored lease belongs to another computer.</summary>
        MachineMismatch = -41,
        /// <summary>The computer has no stable identity.</summary>
        MachineIdUnavailable = -42,
        /// <summary>The computer's clock is wrong.</summary>
        Clock = -43,
        /// <summary>The state folder cannot be written.</summary>
        StoreUnwritable = -44,
        /// <summary>A state file cannot be read.</summary>
        StoreCorrupt = -45,
        /// <summary>A file that a person carries cannot be read, written or
        /// understood.</summary>
        FileUnusable = -46,
        /// <summary>No connection to the server.</summary>
        Unreachable = -50,
        /// <summary>Something else answered in the server's place.</summary>
        UnexpectedResponse = -51,
        /// <summary>The connection's certificate is not trusted.</summary>
        TlsUntrusted = -52,
        /// <summary>The server asked to wait.</summary>
        RateLimited = -53,
        /// <summary>The server failed.</summary>
        Server = -54,
        /// <summary>The server is being maintained.</summary>
        Maintenance = -55,
        /// <summary>An old answer was repeated.</summary>
        ReplayedResponse = -56,
        /// <summary>The answer's signature is not valid.</summary>
        BadSignature = -57,
        /// <summary>The proxy asks for a password.</summary>
        ProxyAuthRequired = -58,
        /// <summary>Networking is switched off, by the host or in the environment.</summary>
        NetworkDisallowed = -59,
        /// <summary>An argument is not valid.</summary>
        InvalidArgument = -60,
        /// <summary>A pointer argument is NULL.</summary>
        NullPointer = -61,
        /// <summary>A text argument is not UTF-8.</summary>
        InvalidUtf8 = -62,
        /// <summary>A <c>struct_size</c> is zero, too small or absurdly large.</summary>
        StructSize = -63,
        /// <summary>The buffer is too small; the needed size was reported.</summary>
        BufferTooSmall = -64,
        /// <summary>A defect of the library; the client is of no further use but can be
        /// closed.</summary>
        Internal = -65,
        /// <summary>The client was opened by the parent of this process.</summary>
        Forked = -66,
        /// <summary>The client is closed.</summary>
        Closed = -67,
        /// <summary>The operation was cancelled.</summary>
        Cancelled = -68,
        /// <summary>No such operation, or its event was already taken.</summary>
        UnknownOperation = -69,
        /// <summary>Too many operations are waiting.</summary>
        Busy = -70,
    }

    /// <summary>Whether a client is licensed. Take a number that you do not know for locked.
    /// </summary>
    public enum LockState : uint
    {
        /// <summary>The server confirmed the license within its renewal interval.</summary>
        Unlocked = 1,
        /// <summary>The license is valid, but the server was not reached since.</summary>
        Grace = 2,
        /// <summary>No valid license; <c>reason</c> says why.</summary>
        Locked = 3,
    }

    /// <summary>Why a host pings.</summary>
    public enum Intent : uint
    {
        /// <summary>The host was started; may take a released seat back if the license allows
        /// it.</summary>
        Launch = 1,
        /// <summary>The lease may be due; never takes a seat, and asks the server only when it
        /// is due.</summary>
        Renew = 2,
    }

    /// <summary>Kind of an event. Ignore kinds that you do not know.</summary>
    public enum EventKind : uint
    {
        /// <summary>An operation ended; <c>operation</c> says which, <c>code</c> how.</summary>
        Operation = 1,
        /// <summary>The lock state or its reason changed; <c>code</c> is the new
        /// reason.</summary>
        Status = 2,
        /// <summary>Something the user should know that does not change the license;
        /// <c>code</c> says what, such as SEATLOCK_ERROR_STORE_UNWRITABLE.</summary>
        Notice = 3,
        /// <summary>A person is to sign in: open the page of SEATLOCK_TEXT_SIGN_IN_URL, or show
        /// it with SEATLOCK_TEXT_SIGN_IN_CODE. The message says so in words.</summary>
        SignIn = 4,
    }

    /// <summary>Which text <see cref="Client.GetText"/> answers.</summary>
    public enum Text : uint
    {
        /// <summary>The machine id, "m1_" and 43 characters.</summary>
        MachineId = 1,
        /// <summary>Its short form for people, such as "YBWE-SEZM", which the seat page shows
        /// too.</summary>
        MachineShort = 2,
        /// <summary>UUID of the seat.</summary>
        Seat = 3,
        /// <summary>Name of the plan.</summary>
        Plan = 4,
        /// <summary>Entitlements, separated by single spaces.</summary>
        Entitlements = 5,
        /// <summary>The lock state in words for a person, dates included.</summary>
        Status = 6,
        /// <summary>Folder in which state is kept.</summary>
        StateFolder = 7,
        /// <summary>The page to open, while a person is signing in.</summary>
        SignInUrl = 8,
        /// <summary>What to type on that page, when it is opened on another device.</summary>
        SignInCode = 9,
        /// <summary>The whole message of the event that was taken last, of which
        /// <c>seatlock_event</c> may lack some.</summary>
        Event = 10,
        /// <summary>Name of the account that holds the license.</summary>
        Account = 11,
        /// <summary>E-mail address of whoever has the seat, or what their sign-in service calls
        /// them.</summary>
        Email = 12,
        /// <summary>Your own data in the license, a JSON object, signed by the server. None
        /// while it is locked.</summary>
        Data = 13,
        /// <summary>Version of the terms that the seat's user accepted last, as the server has
        /// it.</summary>
        Terms = 14,
        /// <summary>Who is signed in, as their sign-in service calls them (its "sub"). None
        /// with a token.</summary>
        Subject = 15,
    }

    /// <summary>What kind of credential a client has.</summary>
    public enum CredentialKind : uint
    {
        /// <summary>A token.</summary>
        Token = 1,
        /// <summary>The sign-in of a person; SEATLOCK_TEXT_SUBJECT names them.</summary>
        Person = 2,
        /// <summary>The sign-in of the machine itself, with a client secret.</summary>
        Machine = 3,
    }

    /// <summary>How much a line of the log matters.</summary>
    public enum LogLevel : uint
    {
        /// <summary>Somebody has to mend something here: a file that cannot be written, a
        /// defect.</summary>
        Error = 1,
        /// <summary>Something failed: a request, an operation, the license; or the clock is
        /// wrong.</summary>
        Warning = 2,
        /// <summary>What happened: requests, changes of the license, the end of operations,
        /// steps of a sign-in.</summary>
        Info = 3,
        /// <summary>What else helps to find out why: the begin of operations.</summary>
        Debug = 4,
    }

    /// <summary>What the user ticked when entering a token.</summary>
    [Flags]
    public enum Consents : uint
    {
        /// <summary>Neither.</summary>
        None = 0,
        /// <summary>"I have read and agree": without it nothing is sent.</summary>
        Terms = 1,
        /// <summary>"Use token for future sessions": without it nothing is ever written to
        /// disk.</summary>
        Remember = 2,
    }
}
