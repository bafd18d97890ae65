// The switch of a service's event consumers, for Spring Boot with Spring for Apache Kafka: copy it into the service.
// Expose it with `management.endpoints.web.exposure.include: health,consumers`, on a management port that only the
// hook can reach. GET /actuator/consumers reads the switch, and POST with {"running": false} sets it.

import java.util.Map;
import org.springframework.boot.actuate.endpoint.annotation.Endpoint;
import org.springframework.boot.actuate.endpoint.annotation.ReadOperation;
import org.springframework.boot.actuate.endpoint.annotation.WriteOperation;
import org.springframework.kafka.config.KafkaListenerEndpointRegistry;
import org.springframework.kafka.listener.MessageListenerContainer;
import org.springframework.stereotype.Component;

@Component
@Endpoint(id = "consumers")
class ConsumersEndpoint {
    private final KafkaListenerEndpointRegistry registry;

    ConsumersEndpoint(KafkaListenerEndpointRegistry registry) { this.registry = registry; }

    @ReadOperation
    Map<String, Object> state() {
        var containers = registry.getListenerContainers();
        return Map.of("running", containers.stream().anyMatch(MessageListenerContainer::isRunning));
    }

    @WriteOperation
    Map<String, Object> set(boolean running) {
        if (running) registry.start(); else registry.stop();
        return state();
    }
}
