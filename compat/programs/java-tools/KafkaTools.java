// Runs Kafka's command-line tools one after another in this one JVM, as a JVM's start costs more than most of them do:
// `run` with `main`, `arguments` and `input` gives `{code, out, err}`, see ../README.md.

import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.common.utils.Exit;

public class KafkaTools {
    static final long TIMEOUT_MS = 50_000;
    static Map<Thread, Thread> hooks;
    static final AtomicReference<Integer> exit = new AtomicReference<>();

    /** What a tool's exit is here. */
    static class Ended extends Error {
        Ended() {
            super(null, null, false, false);
        }
    }

    /** The tools anew for each run, as they keep counts in static fields; the libraries below them stay. */
    static class Tools extends URLClassLoader {
        Tools(URL jar) {
            super(new URL[] {jar}, KafkaTools.class.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (findResource(name.replace('.', '/') + ".class") == null) {
                return super.loadClass(name, resolve);
            }
            synchronized (getClassLoadingLock(name)) {
                Class<?> found = findLoadedClass(name);
                return found == null ? findClass(name) : found;
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        Exit.setExitProcedure(KafkaTools::end);
        Exit.setHaltProcedure(KafkaTools::end);
        hooks = shutdownHooks();
        Lines.answer(KafkaTools::tell);
    }

    /** The first exit counts: a tool may take what is thrown here for a failure, and exit again. */
    static void end(int code, String message) {
        if (message != null) {
            System.err.println(message);
        }
        exit.compareAndSet(null, code);
        System.setErr(new PrintStream(OutputStream.nullOutputStream()));
        throw new Ended();
    }

    static Object tell(JsonNode request) throws Exception {
        switch (request.get("do").asText()) {
            case "version":
                return Lines.version();
            case "run":
                List<String> arguments = new ArrayList<>();
                request.get("arguments").forEach(each -> arguments.add(each.asText()));
                byte[] input = request.path("input").asText("").getBytes(StandardCharsets.UTF_8);
                return run(request.get("main").asText(), arguments.toArray(new String[0]), input);
            default:
                throw new IllegalArgumentException("no request " + request.get("do"));
        }
    }

    static Object run(String main, String[] arguments, byte[] input) throws Exception {
        PrintStream out = System.out;
        PrintStream err = System.err;
        InputStream in = System.in;
        ByteArrayOutputStream saidOut = new ByteArrayOutputStream();
        ByteArrayOutputStream saidErr = new ByteArrayOutputStream();
        exit.set(null);
        try {
            System.setOut(new PrintStream(saidOut, true, StandardCharsets.UTF_8));
            System.setErr(new PrintStream(saidErr, true, StandardCharsets.UTF_8));
            System.setIn(new ByteArrayInputStream(input));
            Thread thread = new Thread(() -> runToItsEnd(main, arguments), main);
            thread.start();
            thread.join(TIMEOUT_MS);
            if (thread.isAlive()) {
                StringBuilder where = new StringBuilder("it does not end; it is at");
                for (StackTraceElement element : thread.getStackTrace()) {
                    where.append("\n  ").append(element);
                }
                throw new IllegalStateException(where + "\n" + saidOut + "\n" + saidErr);
            }
        } finally {
            System.setOut(out);
            System.setErr(err);
            System.setIn(in);
        }
        return Map.of("code", exit.get() == null ? 0 : exit.get(), "out", saidOut.toString(StandardCharsets.UTF_8),
                "err", saidErr.toString(StandardCharsets.UTF_8));
    }

    /** The tool, and then what it wants done when the JVM ends. */
    static void runToItsEnd(String main, String[] arguments) {
        List<Thread> before = List.copyOf(hooks.keySet());
        attempt(() -> {
            Class<?> tools = Class.forName("org.apache.kafka.tools.TopicCommand");
            URL jar = tools.getProtectionDomain().getCodeSource().getLocation();
            new Tools(jar).loadClass(main).getMethod("main", String[].class).invoke(null, (Object) arguments);
        });
        List<Thread> added = new ArrayList<>(hooks.keySet());
        added.removeAll(before);
        for (Thread hook : added) {
            Runtime.getRuntime().removeShutdownHook(hook);
            hook.start();
            attempt(hook::join);
        }
    }

    /** The JVM's own list of them; it wants `--add-opens java.base/java.lang=ALL-UNNAMED`. */
    @SuppressWarnings("unchecked")
    static Map<Thread, Thread> shutdownHooks() throws ReflectiveOperationException {
        Field field = Class.forName("java.lang.ApplicationShutdownHooks").getDeclaredField("hooks");
        field.setAccessible(true);
        return (Map<Thread, Thread>) field.get(null);
    }

    interface Work {
        void run() throws Exception;
    }

    static void attempt(Work work) {
        try {
            work.run();
        } catch (InvocationTargetException raised) {
            uncaught(raised.getCause());
        } catch (Exception | Error raised) {
            uncaught(raised);
        }
    }

    static void uncaught(Throwable raised) {
        if (!(raised instanceof Ended)) {
            raised.printStackTrace();
            exit.compareAndSet(null, 1);
        }
    }
}
