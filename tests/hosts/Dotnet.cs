// A plug-in in C#, in parts that are each a process:
//
//     Dotnet layouts ABI.txt   numbers, sizes, offsets and functions against the ledger
//     Dotnet story             a seat's life; the token comes from standard input
//     Dotnet load              32 threads in every call while one closes the client
//     Dotnet finalizer         clients that nobody disposes of
//     Dotnet exit MS           a process that ends MS milliseconds after it has begun to ping
//
// Server, key and folder come as EXAMPLE_SERVER, EXAMPLE_ROOT_KEY and EXAMPLE_STATE_FOLDER.

using System;
using System.Collections.Generic;
using System.IO;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Threading;
using Seatlock;

static class Dotnet
{
    static void Check(bool good, string what)
    {
        if (!good)
            throw new Exception(what);
    }

    static string Setting(string name)
    {
        return Environment.GetEnvironmentVariable(name);
    }

    static Options Settings()
    {
        return new Options
        {
            Product = "com.example.bridge",
            Server = Setting("EXAMPLE_SERVER"),
            RootKeys = { Setting("EXAMPLE_ROOT_KEY") },
            StateFolder = Setting("EXAMPLE_STATE_FOLDER"),
            MachineId = "a-test-machine-of-ours",
            Proxy = "",
            HostName = "mono",
            HostVersion = "6.8",
            Terms = "2026-01",
        };
    }

    static Code Refused(Action call)
    {
        try
        {
            call();
        }
        catch (SeatlockException refused)
        {
            Check(refused.Message.Length > 10, "an exception without words");
            Check(refused.Remedy.Length > 0 && refused.Url.StartsWith("https://"), "no remedy");
            return refused.Code;
        }
        return Code.Ok;
    }

    // ---- Layouts ------------------------------------------------------------------------------

    static string Pascal(string name)
    {
        string made = "";
        foreach (string part in name.Split('_'))
            made += part.Substring(0, 1) + part.Substring(1).ToLowerInvariant();
        return made;
    }

    static Type Internal(string name)
    {
        Type found = typeof(Client).Assembly.GetType("Seatlock.Native" + name);
        Check(found != null, "there is no Native" + name);
        return found;
    }

    static void Layouts(string ledger)
    {
        string[] enums = { "LOG LogLevel", "TEXT Text", "CREDENTIAL CredentialKind",
            "STATE LockState", "CONSENT Consents", "INTENT Intent", "EVENT EventKind" };
        // Functions that a thread of the library would call, what the events' values replace, and
        // a descriptor, for which .NET has no use.
        string[] others = { "seatlock_options_set_wake", "seatlock_options_set_log",
            "seatlock_event_value", "seatlock_client_event_handle" };
        int checks = 0;
        foreach (string line in File.ReadAllLines(ledger))
        {
            string[] words = line.Split(' ');
            if (words[0] == "struct")
            {
                int size = Marshal.SizeOf(Internal("+" + Pascal(words[1].Substring(9).ToUpper())));
                Check(size == int.Parse(words[2]), words[1] + " has " + size + " bytes");
            }
            else if (words[0] == "member")
            {
                string[] names = words[1].Substring(9).Split('.');
                Type type = Internal("+" + Pascal(names[0].ToUpper()));
                int offset = (int)Marshal.OffsetOf(type, names[1]);
                Check(offset == int.Parse(words[2]), words[1] + " lies at " + offset);
            }
            else if (words[0] == "function")
            {
                const BindingFlags hidden = BindingFlags.Static | BindingFlags.NonPublic;
                if (Array.IndexOf(others, words[1]) >= 0)
                    continue;
                Check(Internal("").GetMethod(words[1], hidden) != null, "no " + words[1]);
            }
            else if (words[0] == "enumerator")
            {
                string name = words[1].Substring(9), type = "Code";
                foreach (string row in enums)
                    if (name.StartsWith(row.Split(' ')[0] + "_"))
                    {
                        type = row.Split(' ')[1];
                        name = name.Substring(row.IndexOf(' ') + 1);
                        break;
                    }
                if (type == "Code" && name.StartsWith("ERROR_"))
                    name = name.Substring(6);
                Type found = typeof(Client).Assembly.GetType("Seatlock." + type);
                object value = Enum.Parse(found, Pascal(name));
                Check(System.Convert.ToInt64(value) == long.Parse(words[2]), words[1]);
            }
            else
                continue;
            checks++;
        }
        Check(checks > 190, "only " + checks + " checks");
        Console.WriteLine(checks + " rows of the ledger");
    }

    // ---- A seat's life ------------------------------------------------------------------------

    static void Story()
    {
        string token = Console.ReadLine();
        TimeSpan patience = TimeSpan.FromSeconds(20);
        Options options = Settings();
        Client client = Client.Open(options);
        Check(!client.Status.Licensed && client.Status.Reason == Code.NoToken, "not locked");
        Check(client.Wait(client.Ping(Intent.Launch), patience).Code == Code.NotActivated, "ping");
        Check(client.Credential == null && client.License == null, "a license from nowhere");

        Code code = Refused(() => client.Activate(token, Consents.Remember));
        Check(code == Code.TermsRequired, "without terms: " + code);
        Consents both = Consents.Terms | Consents.Remember;
        code = Refused(() => client.Activate(token.Substring(1), both));
        Check(code == Code.TokenMalformed, "half a token: " + code);
        code = Refused(() => client.Wait(client.AirgapImport("/nowhere/ä"), patience));
        Check(code == Code.FileUnusable, "a file that is not there: " + code);

        foreach (Event old in client.TakeEvents()) { }
        ulong number = client.Activate("  \"" + token + "\" \r\n", both);
        List<Event> events = new List<Event>();
        DateTime end = DateTime.UtcNow + patience;
        while (!events.Exists(e => e.Operation == number) && DateTime.UtcNow < end)
        {
            Thread.Sleep(20); // a timer of the host
            events.AddRange(client.TakeEvents());
        }
        Event ended = events.Find(e => e.Operation == number);
        Check(ended != null && ended.Succeeded, ended != null ? ended.Message : "no end");
        Check(events.Exists(e => e.Kind == EventKind.Status), "no event of the status");

        Status status = client.Status;
        Check(status.Licensed && status.ValidUntil > DateTimeOffset.UtcNow, "not licensed");
        Check(client.GetText(Text.Status).Length > 5, "no words");
        Check(client.GetText(Text.SignInUrl) == "", "a page to sign in on");
        Check(client.License.Email == "dotnet@example.com", client.License.Email);
        Check(client.Credential.Remembered, "not remembered");
        Entitlement cad = client.Entitlement("cad"), none = client.Entitlement("nobody.knows");
        Check(!none.Included && none.Value == null, "an entitlement that nobody knows");
        Check(client.Report().Contains("mono 6.8") && !client.Report().Contains(token), "report");
        Check(client.Wait(client.Ping(Intent.Renew), patience).Succeeded, "the second ping");
        AutoResetEvent heard = new AutoResetEvent(false);
        client.Listen(e => { if (e.Operation != 0) heard.Set(); });
        client.Ping(Intent.Renew);
        Check(heard.WaitOne(patience), "who listens was told nothing");
        Check(client.Message(Code.RateLimited) == Library.Message(Code.RateLimited), "words");
        Console.WriteLine(client.GetText(Text.Status) + " cad: " + cad.Included);

        client.Dispose();
        client.Dispose();
        Check(client.Status.Reason == Code.Closed && !client.Status.Licensed, "after close");
        Check(Refused(() => client.Ping(Intent.Renew)) == Code.Closed, "a ping after close");

        using (Client again = Client.Open(Settings()))
        {
            Check(again.Status.Licensed, "the license was not kept");
            Check(again.Wait(again.Release(), patience).Succeeded, "release");
            Check(!again.Status.Licensed, "licensed after release");
        }
        Check(Refused(() => Client.Open(new Options { Product = "com.example.bridge" }))
            == Code.InvalidArgument, "without a server");
        try
        {
            Library.MachineId("a\0b");
            Check(false, "a NUL was taken");
        }
        catch (ArgumentException) { }
        Check(Library.Codes().Length > 50 && Library.Name(Code.Busy) == "busy", "codes");
    }

    // ---- Ends ---------------------------------------------------------------------------------

    // Whether the client is still open; what fails without a server and a token is expected.
    static bool Called(Client client, int kind)
    {
        TimeSpan long_time = TimeSpan.FromSeconds(30);
        try
        {
            switch (kind)
            {
                case 0: return client.Status.Reason != Code.Closed;
                case 1: client.NextEvent(long_time); break;
                case 2: client.Ping(Intent.Renew); break;
                case 3: client.Wait(client.Ping(Intent.Renew), long_time); break;
                case 4: return client.GetText(Text.MachineId) != "";
                case 5: client.Cancel(client.Ping(Intent.Renew)); break;
                case 6: client.SetProxy(""); break;
                default: return client.Report() != "";
            }
            return true;
        }
        catch (SeatlockException refused)
        {
            return refused.Code != Code.Closed;
        }
    }

    static void Load()
    {
        for (int round = 0; round < 20; round++)
        {
            Client client = Client.Open(Settings());
            if (round % 2 == 0)
                client.Listen(delegate { });
            string wrong = null;
            Thread[] threads = new Thread[32];
            for (int index = 0; index < threads.Length; index++)
            {
                int kind = index % 8;
                threads[index] = new Thread(delegate()
                {
                    try
                    {
                        while (Called(client, kind)) { }
                    }
                    catch (Exception other)
                    {
                        wrong = other.ToString();
                    }
                });
                threads[index].Start();
            }
            Thread.Sleep(round * 5);
            DateTime begin = DateTime.UtcNow;
            client.Dispose();
            foreach (Thread thread in threads)
                Check(thread.Join(20000), "a thread does not end");
            Check(wrong == null, wrong);
            Check(DateTime.UtcNow - begin < TimeSpan.FromSeconds(15), "closing took too long");
        }
        Console.WriteLine("closed under load 20 times");
    }

    static void Forgotten()
    {
        for (int count = 0; count < 50; count++)
            Client.Open(Settings()).Ping(Intent.Launch);
    }

    static int Threads()
    {
        return Directory.GetDirectories("/proc/self/task").Length;
    }

    static void Finalizer()
    {
        int before = Threads();
        Forgotten();
        int most = Threads();
        DateTime end = DateTime.UtcNow.AddSeconds(60);
        while (Threads() > before + 8 && DateTime.UtcNow < end)
        {
            Forgotten2();
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Thread.Sleep(50);
        }
        Check(Threads() <= before + 8, Threads() + " threads are left of " + most);
        Console.WriteLine("threads " + before + ", " + most + ", " + Threads());
    }

    // A collector that looks at stacks word by word sees old pointers: let others come there.
    static void Forgotten2()
    {
        byte[][] others = new byte[64][];
        for (int index = 0; index < others.Length; index++)
            others[index] = new byte[1024];
    }

    static void Exit(int milliseconds)
    {
        Client client = Client.Open(Settings());
        if (milliseconds % 4 < 2)
            client.Listen(delegate { });
        for (int count = 0; count < 30; count++)
            client.Ping(Intent.Launch);
        Thread.Sleep(milliseconds);
        if (milliseconds % 2 == 1)
            Environment.Exit(0);
    }

    static int Main(string[] words)
    {
        try
        {
            switch (words[0])
            {
                case "layouts": Layouts(words[1]); break;
                case "story": Story(); break;
                case "load": Load(); break;
                case "finalizer": Finalizer(); break;
                case "exit": Exit(int.Parse(words[1])); break;
                default: throw new Exception("unknown: " + words[0]);
            }
            return 0;
        }
        catch (Exception error)
        {
            Console.Error.WriteLine(error);
            return 1;
        }
    }
}
